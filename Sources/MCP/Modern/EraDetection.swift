package import Core

extension Era {
    /// The era of a message that a client sent by HTTP.
    ///
    /// - Parameters:
    ///   - version: the header `MCP-Protocol-Version`.
    ///   - message: nil where there is no body, as for GET and DELETE, which exist in the handshake era only.
    package static func ofHTTP(version: String?, message: RPC.Message?) -> Era {
        guard let message else { return .handshake }
        if case .request(let request) = message, request.method == "initialize" { return .handshake }
        if let version {
            // An unknown revision belongs to the era that can say which ones are known.
            return ProtocolVersion(rawValue: version) == nil ? .modern : .handshake
        }
        return Envelope.isMarked(message.params) ? .modern : .handshake
    }

    /// The era that the first message of a process's client settles; nil where another one has to decide.
    package static func ofFirst(_ message: RPC.Message) -> Era? {
        switch message {
        case .request(let request) where request.method == "initialize": .handshake
        case .request(let request):
            // `server/discover` is asked by modern clients only; without an envelope it gets told what is missing.
            Envelope.isMarked(request.params) || request.method == "server/discover" ? .modern : .handshake
        case .notification, .response: nil
        }
    }
}

extension RPC.Message {
    package var params: RawJSON? {
        switch self {
        case .request(let request): request.params
        case .notification(let notification): notification.params
        case .response: nil
        }
    }
}
