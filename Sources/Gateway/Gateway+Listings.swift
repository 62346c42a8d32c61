internal import Core
internal import DockerEngine
internal import MCP
internal import Synchronization
internal import SystemPackage
internal import Toolkit

/// What servers have on offer, and who is told of it.
extension Gateway {
    // MARK: looking up

    /// Looks for each server's lists on disk.
    func lookUp() async {
        let (settings, deployments) = state.withLock { ($0.settings, $0.records.map(\.deployment)) }
        await lookUp(deployments, settings)
        state.withLock { $0.isLookedUp = true }
        lookedUp.fulfil(.success(()))
    }

    func lookUp(_ deployments: [Deployment], _ settings: GatewaySettings) async {
        guard let folder = settings.cache else { return }
        let cache = ListingCache(folder: folder)
        await withTaskGroup(of: Void.self) { group in
            for deployment in deployments {
                group.addTask { [self] in
                    guard let key = await key(deployment), let found = cache.read(key) else { return }
                    let isNews = state.withLock { state in
                        guard let place = state.records.firstIndex(where: { $0.deployment === deployment }),
                            state.records[place].listing == nil
                        else { return false }
                        state.records[place].listing = found
                        state.surfaces = [:]
                        return true
                    }
                    guard isNews else { return }
                    // A session may have looked before this was known.
                    refresh()
                    tell(.known(server: deployment.server.name, tools: found[.tools].count))
                }
            }
        }
    }

    /// Under which a server's lists are kept on disk.
    ///
    /// - Returns: nil where its image is not here, and has to be fetched first anyway.
    private func key(_ deployment: Deployment) async -> String? {
        var image: String?
        if let engine, let name = deployment.server.image, deployment.server.remote == nil {
            guard let id = try? await engine.imageID(name) else { return nil }
            image = id
        }
        return ListingCache.key(deployment.launch, image: image)
    }

    // MARK: asking

    func deployment(_ server: String) -> Deployment? {
        state.withLock { $0.records.first { $0.deployment.server.name == server }?.deployment }
    }

    /// What is found out about a deployment is kept under this: it changes with the image and the configuration.
    func name(of deployment: Deployment) async -> String { await key(deployment) ?? deployment.server.name }

    func hasListing(_ deployment: Deployment) -> Bool {
        state.withLock { $0.records.contains { $0.deployment === deployment && $0.listing != nil } }
    }

    func servers(_ view: GatewayView) -> [String] {
        state.withLock { state in
            state.records.map(\.deployment.server.name).filter { view.shows($0) }
        }
    }

    /// Whether every server's lists are known, or known not to be had.
    func isComplete(_ view: GatewayView) -> Bool {
        state.withLock { state in
            state.isLookedUp
                && state.records.allSatisfy {
                    !view.shows($0.deployment.server.name) || $0.listing != nil || $0.failure != nil
                        || $0.isLate
                }
        }
    }

    /// What clients of a view see.
    ///
    /// - Parameter overlays: lists of servers that say something else to one client than to others.
    func surface(_ view: GatewayView, overlays: [String: ServerListing] = [:]) -> Surface {
        state.withLock { state in
            let common =
                state.surfaces[view]
                ?? Surface(
                    Self.sources(state, view, [:]), keeping: state.shown[view], isPlain: view.isPlain)
            state.surfaces[view] = common
            if overlays.isEmpty { return common }
            return Surface(Self.sources(state, view, overlays), keeping: common, isPlain: view.isPlain)
        }
    }

    /// A client has been shown a surface.
    func wasShown(_ surface: Surface, _ view: GatewayView) {
        state.withLock { state in if state.surfaces[view] === surface { state.shown[view] = surface } }
    }

    private static func sources(
        _ state: State, _ view: GatewayView, _ overlays: [String: ServerListing]
    ) -> [Surface.Source] {
        state.records.compactMap { record in
            let server = record.deployment.server
            guard view.shows(server.name), var listing = overlays[server.name] ?? record.listing else { return nil }
            listing.items[.tools]?.removeAll { !state.settings.filter.allows($0.name, of: server) }
            return Surface.Source(server: server.name, prefix: server.prefix, listing: listing)
        }
    }

    /// What the gateway is to a client.
    func identity(_ view: GatewayView, _ version: ProtocolVersion) -> ServerLifecycle.Identity {
        let (listings, isComplete) = state.withLock { state in
            let records = state.records.filter { view.shows($0.deployment.server.name) }
            let listings = records.compactMap { record in
                record.listing.map { (server: record.deployment.server.name, listing: $0) }
            }
            return (listings, listings.count == records.count && !records.isEmpty)
        }
        return .init(
            name: "Wharf MCP Gateway", version: WharfVersion.current, instructions: Shape.instructions(listings),
            capabilities: Shape.capabilities(listings.map(\.listing), isComplete: isComplete, for: Revision(version)))
    }

    // MARK: hearing

    /// A server has told what it has.
    ///
    /// - Parameter isFirst: whether nobody has asked anything of it before: what is so then is so for everybody.
    func listed(_ listing: ServerListing, by upstream: Upstream, isFirst: Bool) {
        let (isNews, known, folder) = state.withLock { state -> (Bool, ServerListing?, FilePath?) in
            guard let place = state.records.firstIndex(where: { $0.deployment === upstream.deployment }) else {
                return (false, nil, nil)
            }
            // What is on disk may be old; what one server has told this time counts more than what others tell later.
            let isCommon = upstream.owner == nil || isFirst && !state.records[place].isConfirmed
            guard isCommon else { return (false, state.records[place].listing, nil) }
            let isNews = state.records[place].listing != listing
            state.records[place].listing = listing
            state.records[place].isConfirmed = true
            state.records[place].failure = nil
            state.records[place].isLate = false
            if isNews { state.surfaces = [:] }
            return (isNews, listing, isNews && isFirst ? state.settings.cache : nil)
        }
        if isNews { refresh() }
        if let owner = upstream.owner { owner.listed(listing, of: upstream.server, known: known) }
        if let folder {
            perform { [self] in
                // The image as it is now: the one that was looked at first may have been exchanged.
                guard let key = await key(upstream.deployment) else { return }
                ListingCache(folder: folder).write(listing, key)
            }
        }
    }

    /// A server cannot tell what it has.
    func failed(_ failure: Failure, _ deployment: Deployment) {
        state.withLock { state in
            guard let place = state.records.firstIndex(where: { $0.deployment === deployment }) else { return }
            state.records[place].failure = failure
        }
    }

    /// Tells clients of what has changed for them.
    func refresh() { for session in allSessions { session.refresh() } }

    var allSessions: [Session] { state.withLock { Array($0.sessions.values) } }

    // MARK: waiting

    /// Waits until the lists of every server are known, or for a while: the rest is told when it comes, and is not
    /// waited for again. Where some are known, one server does not hold up the others' lists for long.
    func waitForListings(_ view: GatewayView, for session: Session) async {
        let settings = state.withLock { $0.settings }
        let isSettled = Promise<Void>()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                _ = try? await settle(view, for: session)
                isSettled.fulfil(.success(()))
            }
            group.addTask { [self] in
                try? await Task.sleep(for: min(settings.otherListPatience, settings.listPatience))
                while !Task.isCancelled, !isAnyListed(view) { try? await Task.sleep(for: .milliseconds(20)) }
            }
            group.addTask { try? await Task.sleep(for: settings.listPatience) }
            await group.next()
            group.cancelAll()
        }
        if isSettled.current != nil || Task.isCancelled { return }
        state.withLock { state in
            for place in state.records.indices where state.records[place].listing == nil {
                state.records[place].isLate = view.shows(state.records[place].deployment.server.name)
            }
        }
    }

    private func isAnyListed(_ view: GatewayView) -> Bool {
        state.withLock { state in
            state.records.contains { $0.listing != nil && view.shows($0.deployment.server.name) }
        }
    }

    /// Has servers started whose lists are not known, and waits for each.
    ///
    /// - Returns: why some have failed.
    @discardableResult
    func settle(_ view: GatewayView, for session: Session) async throws -> [Failure] {
        try await lookedUp.value
        let unknown = state.withLock { state in
            state.records.filter { $0.listing == nil && view.shows($0.deployment.server.name) }.map(\.deployment)
        }
        let waiting = unknown.compactMap { deployment -> Upstream? in
            let upstream =
                deployment.sharing == .shared
                ? sharedUpstream(deployment.server.name) : session.ownUpstream(deployment)
            upstream?.wake()
            return upstream
        }
        var failures: [Failure] = []
        for upstream in waiting {
            do { try await upstream.settled.value } catch let failure as Failure {
                failed(failure, upstream.deployment)
                failures.append(failure)
            }
        }
        return failures
    }

    /// Has servers tried again that could not be started and whose lists nobody knows; what they have is told when it
    /// comes.
    func retry(_ view: GatewayView, for session: Session) {
        let failed = state.withLock { state in
            state.records.filter { $0.listing == nil && $0.failure != nil && view.shows($0.deployment.server.name) }
                .map(\.deployment)
        }
        for deployment in failed {
            let upstream =
                deployment.sharing == .shared
                ? sharedUpstream(deployment.server.name) : session.ownUpstream(deployment)
            upstream?.wake()
        }
    }

    /// - Throws: `NoServerReady` when not one server's lists are known, for all have failed.
    func requireListings(for session: Session) async throws {
        let failures = try await settle(session.view, for: session)
        let isAny = state.withLock { state in
            state.records.contains { $0.listing != nil && session.view.shows($0.deployment.server.name) }
        }
        if !failures.isEmpty, !isAny { throw NoServerReady(failures: failures) }
    }
}
