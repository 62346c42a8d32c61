internal import Core
internal import ModelStore
internal import NIOCore
internal import OCI

/// A transfer's progress in the lines that Ollama's clients read.
enum OllamaProgress {
    static func beginning(_ mode: ProgressLine.Mode) -> ByteBuffer {
        line(["status": mode == .pull ? "pulling manifest" : "retrieving manifest"])
    }

    static func bytes(_ progress: ProgressLine) -> ByteBuffer {
        switch progress {
        case .progress(let progress, let mode):
            let verb = mode == .pull ? "pulling" : "pushing"
            return line([
                "status": .string("\(verb) \(progress.layer.short)"), "digest": .string(progress.layer.description),
                "total": .int(progress.layerSize), "completed": .int(progress.layerCurrent),
            ])
        case .success:
            var bytes = line(["status": "verifying sha256 digest"])
            bytes.writeImmutableBuffer(line(["status": "writing manifest"]))
            bytes.writeImmutableBuffer(line(["status": "success"]))
            return bytes
        case .error(let message): return line(["error": .string(message)])
        }
    }

    static func line(_ json: JSON) -> ByteBuffer { ByteBuffer(string: json.text + "\n") }
}
