package import Core
package import NIOCore

/// Why an engine refused a request, read from the bodies that llama.cpp, vLLM and other servers send.
package struct EngineRefusal: Sendable {
    /// The status for the client.
    package let status: Int
    package let failure: Failure
    /// Tokens of a prompt that is too long, and of the context it must fit into.
    package let context: (prompt: Int, limit: Int)?

    package init(status: Int, body: ByteBuffer) {
        let json = try? JSON(parsing: body)
        self.init(status: status, json ?? .string(String(buffer: body)))
    }

    init(status: Int, _ json: JSON) {
        let error = json["error"] ?? json
        let text =
            error["message"]?.string ?? error.string ?? json["detail"]?.string ?? json["message"]?.string
            ?? "the engine refused the request with status \(status)"
        let message = String(text.prefix(4096))
        if error["type"]?.string == "exceed_context_size_error", let prompt = error["n_prompt_tokens"]?.int,
            let limit = error["n_ctx"]?.int
        {
            self.status = 400
            context = (prompt, limit)
            failure = Failure(
                .invalidArgument, "the prompt has \(prompt) tokens, and the context has room for \(limit)",
                advice: "Shorten it, or give the model a larger context: docker model configure --context-size N MODEL")
            return
        }
        if message.contains("is too large to process"), let (input, limit) = Self.numbers(in: message) {
            // An embedding is made of all tokens at once.
            self.status = 400
            context = (input, limit)
            failure = Failure(
                .invalidArgument, "the input has \(input) tokens, and the engine takes \(limit) at once",
                advice: "Shorten it, or embed it in parts")
            return
        }
        context = nil
        self.status = Self.status(status, error["type"]?.string, message)
        failure = Failure(Self.code(self.status), message)
    }

    /// How it begins what it says about requests that it could not read, with the status of a fault of its own.
    private static let clientFaults = [
        "Failed to parse messages", "Failed to parse tools", "Unknown reasoning format", "[json.exception.",
    ]

    /// llama.cpp answers some questions that a model has no means for with statuses of faults.
    private static func status(_ status: Int, _ type: String?, _ message: String) -> Int {
        if status == 501 || type == "not_supported_error" || message.contains("input is not supported") { return 400 }
        if status == 500, clientFaults.contains(where: message.hasPrefix) { return 400 }
        return (400...599).contains(status) ? status : 500
    }

    /// The first two numbers in a text.
    private static func numbers(in text: String) -> (Int, Int)? {
        let numbers = text.split { !$0.isASCII || !$0.isNumber }.compactMap { Int($0) }
        return numbers.count < 2 ? nil : (numbers[0], numbers[1])
    }

    private static func code(_ status: Int) -> Failure.Code {
        switch status {
        case 401: .unauthorized
        case 403: .forbidden
        case 404: .notFound
        case 409: .conflict
        case 422: .unsupported
        case 429: .resourceExhausted
        case 503: .unavailable
        case 504: .timedOut
        case 400..<500: .invalidArgument
        default: .internalError
        }
    }
}
