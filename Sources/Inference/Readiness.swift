internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import SystemPackage

/// Finds out within milliseconds that an engine has loaded its model.
///
/// A socket's file is looked for first, which costs a system call; only then is the engine asked.
struct Readiness {
    let address: EngineAddress
    let path: String
    let timeout: Duration

    /// How long the engine may take to say whether it is ready.
    private static let patience = TimeAmount.seconds(5)
    private static let shortestPause = Duration.milliseconds(1)
    private static let longestPause = Duration.milliseconds(10)

    /// Returns when the path answers 200.
    ///
    /// - Throws: `.timedOut`; `CancellationError`.
    func wait() async throws {
        let start = ContinuousClock.now
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        while true {
            if mayListen, await isHealthy(eventLoop) { return }
            let elapsed = ContinuousClock.now - start
            guard elapsed < timeout else { break }
            // A small model is ready at once and noticed at once; a large one is not bothered for a fiftieth of its time.
            try await Task.sleep(for: min(max(elapsed / 50, Self.shortestPause), Self.longestPause))
        }
        throw Failure(
            .timedOut, "the engine has not loaded the model after \(timeout.components.seconds) s",
            advice: "See the log; a smaller model or a smaller context loads faster.")
    }

    private var mayListen: Bool {
        switch address {
        case .unix(let socket): Files.exists(socket)
        case .loopback: true
        }
    }

    private func isHealthy(_ eventLoop: any EventLoop) async -> Bool {
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: path, headers: ["host": address.host, "connection": "close"])
        let asking = Task {
            try await EngineExchange.begin(head, body: ByteBuffer(), to: address, on: eventLoop).1.status
        }
        let limit = eventLoop.scheduleTask(in: Self.patience) { asking.cancel() }
        defer { limit.cancel() }
        return await withTaskCancellationHandler {
            (try? await asking.value) == .ok
        } onCancel: {
            asking.cancel()
        }
    }
}
