internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import SystemPackage

/// Finds out within milliseconds that an engine has loaded its model.
///
/// A socket's file is looked for first, which costs a system call; only then is the engine asked.
struct Readiness {
    let client: HTTPClient
    let address: EngineAddress
    let path: String
    let timeout: Duration

    private static let firstPause = Duration.milliseconds(2)
    private static let longestPause = Duration.milliseconds(25)

    /// Returns when the path answers 200.
    ///
    /// - Throws: `.timedOut`; `CancellationError`.
    func wait() async throws {
        let start = ContinuousClock.now
        var pause = Self.firstPause
        while ContinuousClock.now - start < timeout {
            if mayListen {
                if await isHealthy() { return }
                try await Task.sleep(for: pause)
                // A small model is ready at once and noticed at once; a large one is not bothered.
                pause = min(pause * 3 / 2, Self.longestPause)
            } else {
                try await Task.sleep(for: Self.firstPause)
            }
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

    private func isHealthy() async -> Bool {
        var request = HTTPClientRequest(url: address.url(path))
        request.headers.add(name: "host", value: address.host)
        guard let response = try? await client.execute(request, timeout: .seconds(5)) else { return false }
        _ = try? await response.body.collect(upTo: 64 << 10)
        return response.status == .ok
    }
}
