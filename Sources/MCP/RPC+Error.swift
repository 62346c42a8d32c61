package import Core

extension RPC {
    /// A JSON-RPC error: what goes over the wire when a request fails.
    package struct Error: Swift.Error, Sendable, CustomStringConvertible {
        package let code: Int
        package let message: String
        package let data: RawJSON?
        /// The error as the other side wrote it, passed on untouched; nil for one of ours.
        private let raw: RawJSON?

        package init(code: Int, message: String, data: RawJSON? = nil) {
            self.code = code
            self.message = message
            self.data = data
            raw = nil
        }

        /// Reads the `error` member of a response; what is missing or odd gets a plain stand-in.
        package init(_ raw: RawJSON) {
            let members = raw.members(named: ["code", "message", "data"])
            let code = members[0].flatMap { Int($0.text) ?? (try? $0.parsed())?.int }
            self.code = code ?? -32603
            let message = members[1]?.string
            self.message = message ?? "unknown error"
            data = members[2]
            self.raw = code != nil && message != nil ? raw : nil
        }

        package var json: RawJSON {
            if let raw { return raw }
            var members = [("code", RawJSON(.int(code))), ("message", RawJSON(.string(message)))]
            if let data { members.append(("data", data)) }
            return RawJSON(object: members)
        }

        /// For people, so bounded; the message itself is passed on as it came.
        package var description: String { "\(message.prefix(500)) (\(code))" }

        package static func parseError(_ message: String) -> Error { Error(code: -32700, message: message) }
        package static func invalidRequest(_ message: String) -> Error { Error(code: -32600, message: message) }
        package static func methodNotFound(_ method: String) -> Error {
            Error(code: -32601, message: "Method not found: \(method)")
        }
        package static func invalidParams(_ message: String) -> Error { Error(code: -32602, message: message) }
        /// What has been asked is taken back, or cannot be waited for any more.
        package static var cancelled: Error { Error(code: -32800, message: "Request cancelled") }
        package static func internalError(_ message: String) -> Error { Error(code: -32603, message: message) }
    }
}

extension RPC.Error {
    /// Any error as what is told to the other side. `Failure` texts are written for people, so they may be told.
    package static func answering(_ error: any Swift.Error) -> RPC.Error {
        switch error {
        case let error as RPC.Error: error
        case let failure as Failure where failure.code == .invalidArgument || failure.code == .notFound:
            .invalidParams(failure.description)
        case let failure as Failure: .internalError(failure.description)
        case is CancellationError: .cancelled
        default: .internalError("internal error")
        }
    }
}
