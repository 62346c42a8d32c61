internal import Core
package import MCP

/// Reaches a server of whichever era, as one of the handshake era.
package struct EraConnector: Connector {
    private let base: any Connector
    private let verdicts: EraVerdicts
    private let key: @Sendable () async -> String
    private let onVerdict: @Sendable (EraProbe.Verdict) -> Void

    /// - Parameters:
    ///   - key: what the verdict is kept under: an image's digest, an address. Asked for while the server is reached.
    ///   - onVerdict: told what the server turns out to be, each time it is reached.
    package init(
        _ base: any Connector, verdicts: EraVerdicts, key: @escaping @Sendable () async -> String,
        onVerdict: @escaping @Sendable (EraProbe.Verdict) -> Void = { _ in }
    ) {
        self.base = base
        self.verdicts = verdicts
        self.key = key
        self.onVerdict = onVerdict
    }

    package func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        let name = Promise<String>()
        let logs = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(64))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { name.fulfil(.success(await key())) }
            group.addTask { for await line in logs.stream { await onProgress(.log(line)) } }
            defer { group.cancelAll() }
            return try await connect(base, name, { logs.continuation.yield($0) }, onProgress, body)
        }
    }

    private func connect<Base: Connector, R: Sendable>(
        _ base: Base, _ name: Promise<String>, _ log: @escaping @Sendable (String) -> Void,
        _ onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        let settled = Promise<Void>()
        do {
            return try await base.connect(onProgress: onProgress) { transport in
                let name = try await name.value
                let bridged = EraTransport(transport, known: verdicts.verdict(on: name), log: log) { verdict in
                    verdicts.note(verdict, on: name)
                    onVerdict(verdict)
                    settled.fulfil(.success(()))
                }
                return try await body(bridged)
            }
        } catch {
            // What was believed may have been wrong: the next attempt asks.
            if settled.current == nil, case .success(let name)? = name.current { verdicts.note(nil, on: name) }
            throw error
        }
    }
}
