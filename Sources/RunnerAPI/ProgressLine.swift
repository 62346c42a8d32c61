internal import Core
internal import ModelStore
internal import NIOCore
internal import OCI

/// One line of a transfer's progress stream.
enum ProgressLine: Sendable {
    enum Mode: String, Sendable {
        case pull
        case push

        fileprivate var verb: String { self == .pull ? "Downloaded" : "Uploaded" }
    }

    case progress(PullProgress, Mode)
    case success(String)
    case error(String)

    var json: JSON {
        switch self {
        case .progress(let progress, let mode):
            let megabytes = (Double(progress.layerCurrent) / 1_048_576).fixed(2)
            return [
                "type": "progress", "message": "\(mode.verb): \(megabytes) MB", "total": .int(progress.total),
                "layer": [
                    "id": .string(progress.layer.description), "size": .int(progress.layerSize),
                    "current": .int(progress.layerCurrent),
                ],
                "mode": .string(mode.rawValue),
            ]
        case .success(let message): return ["type": "success", "message": .string(message)]
        case .error(let message): return ["type": "error", "message": .string(message)]
        }
    }

    /// The line as it is sent. Clients that did not ask for JSON get it escaped for HTML, and expect it so.
    func bytes(escaped: Bool) -> ByteBuffer {
        ByteBuffer(string: (escaped ? Self.escape(json.text) : json.text) + "\n")
    }

    static func escape(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count * 2)
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "'": result += "&#39;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&#34;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
