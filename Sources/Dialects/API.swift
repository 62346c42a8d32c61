package import Core

/// The APIs that clients speak here, and how each of them says that something failed.
package enum API: Sendable, Hashable, CaseIterable {
    case openAI
    case anthropic
    case ollama

    /// The body of an error.
    package func error(_ failure: Failure, status: Int, context: (prompt: Int, limit: Int)? = nil) -> JSON {
        switch self {
        case .openAI:
            var error = JSON.Object([
                ("message", .string(failure.description)), ("type", .string(Self.openAIType(status))), ("param", .null),
                ("code", Self.openAICode(failure)),
            ])
            if let context {
                error["param"] = "messages"
                error["code"] = "context_length_exceeded"
                error["n_prompt_tokens"] = .int(context.prompt)
                error["n_ctx"] = .int(context.limit)
            } else if failure.code == .notFound {
                let isResponse = failure.message.hasPrefix(ResponseShelf.notFound)
                error["param"] = isResponse ? "response_id" : "model"
                if isResponse { error["code"] = "response_not_found" }
            }
            return ["error": .object(error)]
        case .anthropic:
            return [
                "type": "error",
                "error": ["type": .string(Self.anthropicType(status)), "message": .string(failure.description)],
            ]
        case .ollama: return ["error": .string(failure.description)]
        }
    }

    package func error(_ refusal: EngineRefusal) -> JSON {
        error(refusal.failure, status: refusal.status, context: refusal.context)
    }

    private static func openAIType(_ status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 429: "rate_limit_error"
        case 400..<500: "invalid_request_error"
        default: "server_error"
        }
    }

    private static func openAICode(_ failure: Failure) -> JSON {
        switch failure.code {
        case .notFound: "model_not_found"
        case .failedPrecondition: "backend_not_installed"
        case .corrupted: "invalid_answer"
        default: .null
        }
    }

    private static func anthropicType(_ status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503, 529: "overloaded_error"
        case 504: "timeout_error"
        case 400..<500: "invalid_request_error"
        default: "api_error"
        }
    }
}
