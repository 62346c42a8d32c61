internal import Core
internal import DockerEngine
internal import Synchronization
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

    /// Takes Ctrl-C for a part of a command.
    final class Catcher: Sendable {
        private let place = Mutex<Promise<Void>?>(nil)

        func set(_ promise: Promise<Void>?) { place.withLock { $0 = promise } }

        /// Ends the part that is under way; false where none is, or one has been told already.
        func take() -> Bool {
            let promise = place.withLock { place in
                defer { place = nil }
                return place
            }
            promise?.fulfil(.success(()))
            return promise != nil
        }
    }

    @TaskLocal static var catcher: Catcher?

    private let pluginSocket: String?

    /// - Parameter pluginSocket: where docker tells its plugin to end.
    package init(pluginSocket: String? = nil) { self.pluginSocket = pluginSocket }

    /// Runs a part of a command that Ctrl-C (SIGINT) ends alone; the command goes on. A second one while it ends is
    /// meant for the command.
    ///
    /// - Returns: nil when it was ended so.
    package static func catching<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R? {
        guard let catcher else { return try await body() }
        let interrupted = Promise<Void>()
        catcher.set(interrupted)
        defer { catcher.set(nil) }
        return try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await interrupted.value
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    typealias Outcome = Result<Void, any Error>

    /// Runs `body`, cancelling it when it is interrupted.
    ///
    /// - Returns: the exit code of an interruption, else nil; and how `body` ended.
    func watch(_ body: @escaping @Sendable () async -> Outcome) async -> (interrupted: Int32?, outcome: Outcome) {
        let interrupted = Promise<Int32>()
        let catcher = Catcher()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return await withTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                for await signal in signals {
                    if signal == .sigint, interrupted.current == nil, catcher.take() { continue }
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
            group.addTask {
                await Self.$catcher.withValue(catcher) { await Self.cancelling(when: interrupted, body) }
            }
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
