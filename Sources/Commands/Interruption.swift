internal import Core
internal import DockerEngine
internal import UnixSignals

/// A command that ends in its own way on SIGINT and SIGTERM.
package protocol HandlesSignals {}

/// What can end a command before it is done: SIGINT, SIGTERM, and docker closing its plugin's socket.
///
/// The command is cancelled then, and puts away what it has started. A second signal, or taking too long over it, ends
/// the process at once.
package struct Interruption: Sendable {
    /// How long a cancelled command may take to put its things away; docker gives containers as much to stop.
    static let limit = Duration.seconds(10)
    private static let closedByDocker: Int32 = 130

    private let pluginSocket: String?

    /// - Parameter pluginSocket: where docker tells its plugin to end.
    package init(pluginSocket: String? = nil) { self.pluginSocket = pluginSocket }

    typealias Outcome = Result<Void, any Error>

    /// Runs `body`, cancelling it when it is interrupted.
    ///
    /// - Returns: the exit code of an interruption, else nil; and how `body` ended.
    func watch(_ body: @escaping @Sendable () async -> Outcome) async -> (interrupted: Int32?, outcome: Outcome) {
        let interrupted = Promise<Int32>()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return await withTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                for await signal in signals {
                    let code = 128 + signal.rawValue
                    if interrupted.current != nil { POSIX.exitAtOnce(code) }
                    interrupted.fulfil(.success(code))
                }
                return nil
            }
            if let pluginSocket {
                group.addTask {
                    if await PluginSocket.waitUntilClosed(pluginSocket) {
                        interrupted.fulfil(.success(Self.closedByDocker))
                    }
                    return nil
                }
            }
            group.addTask {
                guard let code = try? await interrupted.value else { return nil }
                try? await Task.sleep(for: Self.limit)
                if !Task.isCancelled { POSIX.exitAtOnce(code) }
                return nil
            }
            group.addTask { await Self.cancelling(when: interrupted, body) }
            var outcome: Outcome?
            while outcome == nil, let next = await group.next() { outcome = next }
            group.cancelAll()
            return (try? interrupted.current?.get(), outcome ?? .failure(CancellationError()))
        }
    }

    private static func cancelling(
        when interrupted: Promise<Int32>, _ body: @escaping @Sendable () async -> Outcome
    ) async -> Outcome {
        await withTaskGroup(of: Outcome?.self) { group in
            group.addTask { await body() }
            group.addTask {
                _ = try? await interrupted.value
                return nil
            }
            var outcome = await group.next() ?? nil
            group.cancelAll()
            while let next = await group.next() { outcome = outcome ?? next }
            return outcome ?? .failure(CancellationError())
        }
    }
}
