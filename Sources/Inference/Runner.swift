package import SystemPackage

/// One live engine with its model loaded, reached over its address.
package struct Runner: Sendable, Hashable {
    /// Unique within the process, so that a late release never hits a successor in the same slot.
    package typealias ID = UInt64

    package let id: ID
    package let load: Load
    /// Tokens it was started with; nil where the engine chose.
    package let context: Int?
    package let address: EngineAddress

    /// The address of a path on this runner, for AsyncHTTPClient.
    package func url(_ path: String) -> String { address.url(path) }
}

/// A runner as the `ps` route shows it.
package struct RunnerStatus: Sendable, Hashable {
    package let backend: String
    package let modelID: String
    package let modelName: String
    package let mode: Load.Mode
    /// Seconds since 1970.
    package let lastUsed: Int64
    package let inUse: Bool
    package let loading: Bool
    package let keepAlive: KeepAlive
    /// Tokens it was started with; nil where the engine chose.
    package let contextSize: Int?
    /// What it was estimated to take; zero where nothing is known.
    package let memory: Memory
    /// The same in one number: memory that a GPU shares with the machine counts once.
    package let bytes: Int64
    package let configuration: EngineConfiguration
    package let draftModelID: String?
}

/// `http+unix` addresses: the socket's path is the host, percent-encoded.
package enum UnixURL {
    package static func text(socket: FilePath, path: String) -> String {
        var text = "http+unix://"
        for byte in socket.string.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                text.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return text + path
    }
}
