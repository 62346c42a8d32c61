package import Core

extension RPC {
    /// A JSON-RPC error: what goes over the wire when a request fails.
    package struct Error: Swift.Error, Sendable, CustomStringConvertible {
        package let code: Int
        package let message: String
        package let data: RawJSON?

        package init(code: Int, message: String, data: RawJSON? = nil) {
            self.code = code
            self.message = message
            self.data = data
        }

        /// For people, so bounded; the message itself is passed on as it came.
        package var description: String { "\(message.prefix(500)) (\(code))" }

        package static func parseError(_ message: String) -> Error { Error(code: -32700, message: message) }
        package static func invalidRequest(_ message: String) -> Error { Error(code: -32600, message: message) }
        package static func methodNotFound(_ method: String) -> Error {
            Error(code: -32601, message: "Method not found: \(method)")
        }
        package static func invalidParams(_ message: String) -> Error { Error(code: -32602, message: message) }
        package static func internalError(_ message: String) -> Error { Error(code: -32603, message: message) }
    }
}

extension RPC.Error {
    /// Reads the `error` member of a response; what is missing or odd gets a plain stand-in.
    init(_ raw: RawJSON) {
        let json = (try? raw.parsed()) ?? .null
        self.init(
            code: json["code"]?.int ?? -32603, message: json["message"]?.string ?? "unknown error",
            data: raw["data"])
    }

    var json: JSON {
        var object = JSON.Object([("code", .int(code)), ("message", .string(message))])
        if let data, let value = try? data.parsed() { object["data"] = value }
        return .object(object)
    }

    /// Any error as what is told to the other side. `Failure` texts are written for people, so they may be told.
    package static func answering(_ error: any Swift.Error) -> RPC.Error {
        switch error {
        case let error as RPC.Error: error
        case let failure as Failure where failure.code == .invalidArgument || failure.code == .notFound:
            .invalidParams(failure.description)
        case let failure as Failure: .internalError(failure.description)
        case is CancellationError: RPC.Error(code: -32800, message: "Request cancelled")
        default: .internalError("internal error")
        }
    }
}
