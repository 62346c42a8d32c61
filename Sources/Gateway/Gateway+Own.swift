package import Core
internal import MCP
internal import Synchronization
internal import Toolkit

/// The gateway's own use of its servers, without a client.
extension Gateway {
    /// The session of whoever runs the gateway.
    private var own: Session {
        let session = Session.own(self)
        return state.withLock { state in
            if let own = state.own { return own }
            state.own = session
            state.sessions[ObjectIdentifier(session)] = session
            return session
        }
    }

    /// The servers there are, in the order of their lists.
    package var serverNames: [String] { servers(.all) }

    /// Waits until every server has been listed or has failed. Lists from earlier runs count.
    ///
    /// - Throws: `NoServerReady` when not one is there.
    package func waitUntilListed() async throws { try await requireListings(for: own) }

    /// Starts every server and waits until it is ready or has failed.
    ///
    /// - Throws: `NoServerReady` when not one is ready.
    package func waitUntilReady() async throws {
        try await lookedUp.value
        let session = own
        let upstreams = state.withLock { $0.records.map(\.deployment) }.compactMap { deployment in
            deployment.sharing == .shared
                ? sharedUpstream(deployment.server.name) : session.ownUpstream(deployment)
        }
        for upstream in upstreams { upstream.wake() }
        var failures: [Failure] = []
        for upstream in upstreams {
            do { try await upstream.settled.value } catch let failure as Failure {
                failed(failure, upstream.deployment)
                failures.append(failure)
            }
        }
        if !failures.isEmpty, failures.count == upstreams.count { throw NoServerReady(failures: failures) }
    }

    /// Puts away the servers that the gateway has started for itself.
    package func releaseOwn() async {
        let session = state.withLock { state in
            defer { state.own = nil }
            state.own.map { state.sessions[ObjectIdentifier($0)] = nil }
            return state.own
        }
        await session?.close()
    }

    /// The lists of all servers. One that has failed is missing, and has been reported; one that takes long is missing
    /// so far.
    package func surface() async throws -> Surface {
        let session = own
        if !isComplete(.all) { await waitForListings(.all, for: session) }
        return session.surface
    }

    /// Calls a tool by its exposed name.
    ///
    /// - Parameter params: those of `tools/call`; passed on but for the name.
    /// - Returns: the server's result, untouched.
    /// - Throws: `RPC.Error` of the server; `.notFound` for an unknown name; `.unavailable` when the server ended.
    package func call(_ name: String, params: RawJSON) async throws -> RawJSON {
        let surface = try await surface()
        guard surface.route(name) != nil else { throw Failure(.notFound, "Unknown tool: \(name)") }
        let session = own
        let named = params.replacing("name", with: RawJSON(.string(name)))
        let request = RPC.Request(id: RPC.ID(0), method: "tools/call", params: named)
        guard let plan = try session.plan(request) else { throw Failure(.notFound, "Unknown tool: \(name)") }
        return try await session.exchange(request, plan)
    }
}
