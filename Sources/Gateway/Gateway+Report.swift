package import Core
internal import DockerEngine
internal import MCP
internal import Synchronization
internal import Toolkit

/// What the gateway tells of itself, for `docker mcp gateway status`. Nothing that clients or servers said but names,
/// versions and errors.
extension Gateway {
    /// Writes the report where it is asked for, when it is another one than last time.
    func writeReport() {
        guard let folder = state.withLock({ $0.settings.stateFolder }) else { return }
        let report = report
        let file = state.withLock { state -> StateFile? in
            guard report != state.report else { return nil }
            state.report = report
            let file = state.file ?? StateFile(folder: folder)
            state.file = file
            return file
        }
        do { try file?.write(report) } catch {
            // Told once: the next attempt is like this one.
            let isFirst = state.withLock { state in
                defer { state.hasNoFile = true }
                return !state.hasNoFile
            }
            if isFirst {
                tell(.warning("`docker mcp gateway status` will not see this gateway: \(Failure.text(of: error))"))
            }
        }
    }

    func removeReport() { state.withLock { $0.file }?.remove() }

    package var report: JSON {
        let (records, own) = state.withLock { ($0.records, $0.own) }
        let sessions = allSessions.filter { $0 !== own }.sorted { $0.began < $1.began }
        let upstreams = allUpstreams
        return [
            "process": .string(ProcessIdentity.current?.description ?? ""), "pid": .int(POSIX.processID),
            "version": .string(WharfVersion.current), "started": .string(began.rfc3339),
            "clients": .array(sessions.map(\.report)),
            "servers": .array(
                records.map { record in Self.report(record, upstreams.filter { $0.deployment === record.deployment }) }),
        ]
    }

    private static func report(_ record: Record, _ upstreams: [Upstream]) -> JSON {
        let states = upstreams.map { $0.state.withLock { ($0.life.phase, $0.report, $0.calls.count) } }
        let phase =
            [UpstreamState<Upstream.Link>.Phase.ready, .starting, .failed, .idle].first { phase in
                states.contains { $0.0 == phase }
            } ?? .idle
        // One that could not be started waits for the next attempt.
        let hasFailed = phase == .idle && record.failure != nil && record.listing == nil
        let revision = states.lazy.compactMap(\.1.version).first
        let era = states.lazy.compactMap(\.1.era).first
        let error = states.lazy.compactMap(\.1.lastError).last ?? record.failure?.description
        return [
            "name": .string(record.deployment.server.name), "state": .string(hasFailed ? "failed" : phase.rawValue),
            "instances": .string(record.deployment.sharing.rawValue),
            "places": .array(states.compactMap { $0.1.place.map { .string($0) } }),
            "revision": revision.map { .string($0) } ?? .null,
            "era": era.map { .string($0.rawValue) } ?? .null,
            "tools": record.listing.map { .int($0[.tools].count) } ?? .null,
            "calls": .int(states.reduce(record.pastCalls) { $0 + $1.1.calls }),
            "active": .int(states.reduce(0) { $0 + $1.2 }),
            "failed": .int(states.reduce(record.pastFailures) { $0 + $1.1.failed }),
            "lastError": error.map { .string($0) } ?? record.pastError.map { .string($0) } ?? .null,
        ]
    }

    /// Keeps what is to be told of an upstream that is gone.
    func remember(_ upstream: Upstream) {
        let report = upstream.state.withLock { $0.report }
        state.withLock { state in
            guard let place = state.records.firstIndex(where: { $0.deployment === upstream.deployment }) else { return }
            state.records[place].pastCalls += report.calls
            state.records[place].pastFailures += report.failed
            if let error = report.lastError { state.records[place].pastError = error }
        }
    }
}

extension Session {
    var report: JSON {
        let (name, calls) = state.withLock { ($0.clientName, $0.calls) }
        return [
            "name": name.map { .string($0) } ?? .null,
            "revision": name == nil ? .null : .string(revision.rawValue),
            "era": .string(revision.era.rawValue), "calls": .int(calls),
            "since": .string(began.rfc3339),
        ]
    }
}
