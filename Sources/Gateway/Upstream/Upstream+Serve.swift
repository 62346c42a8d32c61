internal import Core
internal import DockerEngine
internal import MCP
internal import Synchronization

extension Upstream {
    /// One session with the server, from the handshake to its end.
    ///
    /// - Parameter ending: ends it when fulfilled.
    func serve(
        over transport: any Transport, _ ending: Promise<Void>, since start: ContinuousClock.Instant
    ) async throws {
        let changes = AsyncStream.makeStream(of: ListKind.self, bufferingPolicy: .bufferingNewest(16))
        state.withLock { $0.changes = changes.continuation }
        try await Peer.run(over: transport, handler: self) { peer in
            // What a server may ask depends on its client, who may not have introduced itself yet.
            let capabilities = try await self.capabilities()
            let limit = self.deployment.launch.settings.startLimit
            let client = try await withDeadline(limit, "did not answer within \(limit)") {
                try await Client(
                    over: peer, name: "docker-mcp-gateway", version: WharfVersion.current, capabilities: capabilities)
            }
            let link = Link(peer: peer, client: client)
            self.prepare(link)
            let isKnown = self.gateway.hasListing(self.deployment)
            self.state.withLock { state in
                state.link = link
                state.wasReady = true
                state.report.agreed(on: client.server.version)
                let session = state.life.becameReady(now: .now)
                // Whoever waits for its lists uses it.
                if !isKnown { _ = state.life.want(now: .now) }
                return session
            }.fulfil(.success(link))
            defer {
                self.state.withLock { state in
                    state.link = nil
                    state.life.lost()
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await self.list(link, isKnown: isKnown, changes.stream, since: start)
                    await untilCancelled()
                }
                group.addTask { try await ending.value }
                defer { group.cancelAll() }
                try await group.next()
            }
            // The session broke; that is no idleness.
            try Task.checkCancellation()
        }
    }

    private func capabilities() async throws -> RawJSON {
        if let owner { return try await owner.capabilities.value }
        // Whatever one of its clients may have; what the one concerned has not is refused when it comes.
        return RawJSON([
            "sampling": ["tools": [:], "context": [:]], "elicitation": ["form": [:], "url": [:]], "roots": [:],
        ])
    }

    /// What clients have asked for before this life of the server.
    private func prepare(_ link: Link) {
        if link.has("logging"), let level = owner?.level ?? gateway.sharedLevel(of: self) {
            link.peer.ask("logging/setLevel", RawJSON(["level": .string(level.rawValue)])) { _ in }
        }
        for uri in gateway.subscriptions(of: self) {
            link.peer.ask("resources/subscribe", RawJSON(["uri": .string(uri)])) { _ in }
        }
    }

    /// Asks for the lists, and again for each that the server says has changed.
    private func list(
        _ link: Link, isKnown: Bool, _ changes: AsyncStream<ListKind>, since start: ContinuousClock.Instant
    ) async throws {
        var listing = try await firstListing(link, isKnown: isKnown)
        gateway.listed(listing, by: self, isFirst: true)
        settled.fulfil(.success(()))
        gateway.tell(.ready(server: server, tools: listing[.tools].count, took: ContinuousClock.now - start))
        for await kind in changes where listing.has(kind.capability) {
            do { listing.items[kind] = try await link.client.list(kind) } catch let error as RPC.Error {
                gateway.tell(.warning("\(server) cannot list its \(kind.rawValue): \(error)"))
                continue
            }
            gateway.listed(listing, by: self, isFirst: false)
        }
    }

    private func firstListing(_ link: Link, isKnown: Bool) async throws -> ServerListing {
        defer { if !isKnown { state.withLock { $0.life.done(now: .now) } } }
        // Where they are known from before, whoever had the server started comes first.
        if isKnown { try await Task.sleep(for: .milliseconds(200)) }
        let limit = deployment.launch.settings.startLimit
        return try await withDeadline(limit, "did not list what it has within \(limit)") {
            try await ServerListing.fetch(from: link.client)
        }
    }
}
