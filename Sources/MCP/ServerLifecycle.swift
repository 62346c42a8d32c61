package import Core

/// The part of a server's session that every MCP server has: the handshake, `ping`, and what may come before what.
package struct ServerLifecycle: Sendable {
    package struct Identity: Sendable {
        package let name: String
        package let version: String
        package let instructions: String?
        package let capabilities: JSON

        package init(name: String, version: String, instructions: String? = nil, capabilities: JSON) {
            self.name = name
            self.version = version
            self.instructions = instructions
            self.capabilities = capabilities
        }
    }

    package enum Phase: Sendable, Equatable {
        case new
        case initialized(ProtocolVersion)
    }

    package private(set) var phase = Phase.new
    private let identity: @Sendable (ProtocolVersion) -> Identity

    package init(_ identity: Identity) { self.init { _ in identity } }

    /// - Parameter identity: what the server is to a client of a revision, asked for once.
    package init(_ identity: @escaping @Sendable (ProtocolVersion) -> Identity) { self.identity = identity }

    /// Decides on a request by the phase of the session.
    ///
    /// - Returns: the answer, or nil for a request that is for the server itself.
    package mutating func step(_ request: RPC.Request) throws(RPC.Error) -> RawJSON? {
        switch (request.method, phase) {
        case ("initialize", .new):
            guard let asked = request.params?["protocolVersion"]?.string else {
                throw .invalidParams("initialize without a protocolVersion")
            }
            let version = ProtocolVersion.negotiate(asked)
            phase = .initialized(version)
            return RawJSON(answer(version))
        case ("initialize", .initialized): throw .invalidRequest("this session has been initialized already")
        case ("ping", _): return RawJSON([:])
        // A client that speaks the newer, stateless protocol asks this first and falls back on any error.
        case ("server/discover", _): throw .methodNotFound(request.method)
        case (_, .new): throw .invalidRequest("\(request.method) before initialize")
        case (_, .initialized): return nil
        }
    }

    private func answer(_ version: ProtocolVersion) -> JSON {
        let identity = identity(version)
        var object = JSON.Object([
            ("protocolVersion", .string(version.rawValue)), ("capabilities", identity.capabilities),
            ("serverInfo", ["name": .string(identity.name), "version": .string(identity.version)]),
        ])
        if let instructions = identity.instructions { object["instructions"] = .string(instructions) }
        return .object(object)
    }
}
