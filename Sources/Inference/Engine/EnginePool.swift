internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Connections that have just been used, for whoever asks the same engine at once. Lives on an event loop.
///
/// Each connection holds one of the threads of llama.cpp's server. So they are kept for a moment only, and only while
/// all that are open leave threads to spare: with more, every answer frees its thread for a connection that waits.
final class EnginePool {
    private static let maximumOpen = max(2, LlamaServer.connections * 3 / 4 / NIOSingletons.groupLoopCountSuggestion)
    private static let patience = TimeAmount.milliseconds(20)

    private let eventLoop: any EventLoop
    private var idle: [EngineAddress: [(connection: EngineConnection, since: NIODeadline)]] = [:]
    /// How many connections there are, with those in use.
    private var open: [EngineAddress: Int] = [:]
    private var isSweeping = false

    private init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    private static let pools = Mutex<[ObjectIdentifier: NIOLoopBound<EnginePool>]>([:])

    /// The pool of a loop. Only on that loop.
    static func of(_ eventLoop: any EventLoop) -> EnginePool {
        let id = ObjectIdentifier(eventLoop)
        if let known = pools.withLock({ $0[id] }) { return known.value }
        let pool = EnginePool(eventLoop)
        let bound = NIOLoopBound(pool, eventLoop: eventLoop)
        pools.withLock { $0[id] = bound }
        return pool
    }

    func take(_ address: EngineAddress) -> EngineConnection? {
        while let (connection, _) = idle[address]?.popLast() {
            if connection.isOpen { return connection }
        }
        return nil
    }

    func opened(_ address: EngineAddress) { open[address, default: 0] += 1 }

    func closed(_ address: EngineAddress) {
        guard let count = open[address] else { return }
        open[address] = count > 1 ? count - 1 : nil
    }

    func park(_ connection: EngineConnection, _ address: EngineAddress) {
        guard connection.isOpen, open[address, default: 0] <= Self.maximumOpen else { return connection.close() }
        idle[address, default: []].append((connection, .now()))
        sweepLater()
    }

    private func sweepLater() {
        guard !isSweeping else { return }
        isSweeping = true
        let pool = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.patience) { pool.value.sweep() }
    }

    private func sweep() {
        isSweeping = false
        let oldest = NIODeadline.now() - Self.patience
        for (address, connections) in idle {
            for (connection, since) in connections where since <= oldest { connection.close() }
            let rest = connections.filter { $0.since > oldest }
            idle[address] = rest.isEmpty ? nil : rest
        }
        if !idle.isEmpty { sweepLater() }
    }
}
