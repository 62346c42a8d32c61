internal import Core

/// Turns the end of an engine into one line that says why and what to do.
struct ExitReport {
    let name: String
    let exit: ChildExit
    let wasReady: Bool
    let tail: LogTail

    private static let illegalInstruction: Int32 = 4
    private static let killed: Int32 = 9

    private struct Meaning {
        let sign: String
        let text: String
        var code = Failure.Code.internalError
        var advice: String?
    }

    private static let smaller = "Use a smaller model or a smaller context, or unload another model."
    private static let again = "Remove the model and pull it again."

    /// What engines print, and what it means. The first that matches wins.
    private static let meanings = [
        Meaning(
            sign: "cudaMalloc failed: out of memory", text: "not enough GPU memory to load the model (CUDA)",
            code: .resourceExhausted, advice: smaller),
        Meaning(
            sign: "ErrorOutOfDeviceMemory", text: "not enough GPU memory to load the model (Vulkan)",
            code: .resourceExhausted, advice: smaller),
        Meaning(
            sign: "failed to allocate buffer, size", text: "not enough GPU memory to load the model (Metal)",
            code: .resourceExhausted, advice: smaller),
        Meaning(
            sign: "failed to allocate buffer", text: "not enough memory to load the model", code: .resourceExhausted,
            advice: smaller),
        Meaning(
            sign: "failed to allocate compute", text: "not enough memory to load the model", code: .resourceExhausted,
            advice: smaller),
        Meaning(
            sign: "std::bad_alloc", text: "not enough memory to load the model", code: .resourceExhausted,
            advice: smaller),
        Meaning(
            sign: "model is corrupted or incomplete", text: "the model's file is corrupted or incomplete",
            code: .corrupted, advice: again),
        Meaning(sign: "invalid magic", text: "the model's file is no GGUF file", code: .corrupted, advice: again),
        Meaning(
            sign: "unknown model architecture",
            text: "failed to load model: this engine does not know the model's architecture",
            advice: "A newer engine may."),
        Meaning(sign: "error loading model", text: "failed to load model"),
        Meaning(sign: "exiting due to model loading error", text: "failed to load model"),
    ]

    /// Where the weights were being multiplied when the instruction was not there.
    private static let tiles = "amx"

    var failure: Failure {
        let doing = wasReady ? "terminated unexpectedly" : "stopped while loading the model"
        switch exit {
        case .signal(Self.illegalInstruction):
            let isTiles = tail.text.lowercased().contains(Self.tiles)
            return Failure(
                .internalError,
                "\(name) \(doing): illegal instruction (SIGILL), this CPU lacks one the engine was built for",
                advice: isTiles
                    ? "Engines that gcc 12 built with AMX die of this: configure the model with -- --no-repack, "
                        + "or build llama.cpp with GGML_NATIVE=OFF."
                    : "The engine that install-runner brings needs AVX2. "
                        + "Set LLAMA_SERVER_PATH to a llama-server built for this machine.")
        case .signal(Self.killed):
            return Failure(
                .resourceExhausted,
                "\(name) \(doing): killed (SIGKILL), most often by the system for lack of memory\(lastWords)",
                advice: Self.smaller)
        case .signal(let signal):
            return Failure(.internalError, "\(name) \(doing): signal \(signal)\(lastWords)")
        case .code(let code):
            let text = tail.text
            guard let meaning = Self.meanings.first(where: { text.contains($0.sign) }) else {
                return Failure(.internalError, "\(name) \(doing): exit code \(code)\(lastWords)")
            }
            return Failure(meaning.code, "\(name) \(doing): \(meaning.text)\(lastWords)", advice: meaning.advice)
        }
    }

    private var lastWords: String {
        let lines = tail.lastLines()
        return lines.isEmpty ? "" : ". Its last output: " + lines.joined(separator: " | ")
    }
}
