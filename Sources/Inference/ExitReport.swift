internal import Core

/// Turns the end of an engine into one line that says why and what to do.
struct ExitReport {
    let name: String
    let exit: ChildExit
    let wasReady: Bool
    let tail: LogTail

    private static let illegalInstruction: Int32 = 4
    private static let killed: Int32 = 9

    /// What engines print, and what it means. The first that matches wins.
    private static let meanings: [(sign: String, meaning: String)] = [
        ("cudaMalloc failed: out of memory", "not enough GPU memory to load the model (CUDA)"),
        ("failed to allocate buffer", "not enough GPU memory to load the model (Metal)"),
        ("std::bad_alloc", "not enough memory to load the model"),
        ("error loading model", "failed to load model"),
        ("exiting due to model loading error", "failed to load model"),
    ]

    var failure: Failure {
        let doing = wasReady ? "terminated unexpectedly" : "stopped while loading the model"
        switch exit {
        case .signal(Self.illegalInstruction):
            return Failure(
                .internalError,
                "\(name) \(doing): illegal instruction (SIGILL), this CPU lacks one the engine was built for",
                advice: "The engine that install-runner brings needs AVX2. "
                    + "Set LLAMA_SERVER_PATH to a llama-server built for this machine.")
        case .signal(Self.killed):
            return Failure(
                .internalError,
                "\(name) \(doing): killed (SIGKILL), most often by the system for lack of memory\(lastWords)",
                advice: "Use a smaller model or a smaller context.")
        case .signal(let signal):
            return Failure(.internalError, "\(name) \(doing): signal \(signal)\(lastWords)")
        case .code(let code):
            let text = tail.text
            let meaning = Self.meanings.first { text.contains($0.sign) }?.meaning ?? "exit code \(code)"
            return Failure(.internalError, "\(name) \(doing): \(meaning)\(lastWords)")
        }
    }

    private var lastWords: String {
        let lines = tail.lastLines()
        return lines.isEmpty ? "" : ". Its last output: " + lines.joined(separator: " | ")
    }
}
