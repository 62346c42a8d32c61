package import Core

extension RPC.Error {
    package static let headerMismatchCode = -32020
    package static let missingCapabilityCode = -32021
    package static let unsupportedVersionCode = -32022
    /// Of the handshake era: a URL has to be visited first.
    package static let urlElicitationCode = -32042
    /// Of the handshake era: there is no such resource.
    package static let resourceNotFoundCode = -32002

    package static func headerMismatch(_ message: String) -> RPC.Error {
        RPC.Error(code: headerMismatchCode, message: message)
    }

    /// - Parameter capabilities: those that are needed, as a client would declare them.
    package static func missingCapability(_ capabilities: JSON, _ message: String) -> RPC.Error {
        RPC.Error(
            code: missingCapabilityCode, message: message, data: RawJSON(["requiredCapabilities": capabilities]))
    }

    package static func unsupportedVersion(_ requested: String) -> RPC.Error {
        RPC.Error(
            code: unsupportedVersionCode, message: "Unsupported protocol version",
            data: RawJSON([
                "supported": .array(Revision.modern.map { .string($0.rawValue) }),
                "requested": .string(String(requested.prefix(64))),
            ]))
    }

    /// The revisions that a −32022 names; nil for any other error, and for one that names none.
    package var supportedVersions: [String]? {
        guard code == Self.unsupportedVersionCode, let list = try? data?["supported"]?.parsed().array else {
            return nil
        }
        return list.compactMap(\.string)
    }

    /// The status a modern answer with this error has.
    package var status: Int {
        switch code {
        case -32700, -32600, -32602, Self.headerMismatchCode, Self.missingCapabilityCode, Self.unsupportedVersionCode:
            400
        case -32601: 404
        default: 200
        }
    }

    /// Whether an error in a 400 or 404 can only come from a server that speaks the modern protocol.
    package var isModernEvidence: Bool {
        [Self.headerMismatchCode, Self.missingCapabilityCode, Self.unsupportedVersionCode].contains(code)
    }

    /// The error of a handshake-era server as a modern client knows it.
    package var modernized: RPC.Error {
        code == Self.resourceNotFoundCode ? RPC.Error(code: -32602, message: message, data: data) : self
    }

    /// The error of a modern server as a client of the handshake era knows it.
    package func forHandshake(answering method: String) -> RPC.Error {
        switch code {
        case -32602 where method == "resources/read" && data?["uri"] != nil:
            RPC.Error(code: Self.resourceNotFoundCode, message: message, data: data)
        case Self.headerMismatchCode, Self.unsupportedVersionCode:
            // These would be about the gateway's own request.
            RPC.Error(code: -32603, message: "the server refused the gateway's request: \(message)")
        case Self.missingCapabilityCode:
            RPC.Error(code: -32602, message: message, data: data)
        default: self
        }
    }
}
