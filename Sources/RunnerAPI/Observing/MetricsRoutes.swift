internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import NIOCore
internal import NIOHTTP1

/// `GET /metrics`: what the engines and the daemon count, in Prometheus' text format.
struct MetricsRoutes: Sendable {
    let metrics: Metrics
    let scheduler: Scheduler
    let activity: Activity

    /// How long an engine may take; one that is busy loading must not hold up the others.
    private static let patience = TimeAmount.seconds(2)
    private static let maximumAnswer = 4 << 20

    func add(to router: Router<Context>) {
        router.get("/metrics") { _, context in
            let runners = scheduler.readyRunners()
            let running = scheduler.running()
            var families = metrics.families()
            families += [
                .gauge("wharf_requests_in_flight", "Requests being answered, this one too.", activity.ongoing),
                .gauge("wharf_requests_waiting", "Requests that wait for a model.", scheduler.waitingCount),
                .gauge("wharf_runners_ready", "Engines with their model loaded.", runners.count),
                .gauge("wharf_runners_loading", "Engines that load.", running.count { $0.loading }),
            ]
            let eventLoop = context.channel.eventLoop
            try await withThrowingTaskGroup(of: [MetricFamily].self) { group in
                for runner in runners {
                    group.addTask {
                        // An engine without metrics, or one that is just ending, has nothing to say.
                        guard let text = try? await Self.ask(runner, on: eventLoop) else { return [] }
                        let labels = [
                            ("backend", runner.load.key.backend), ("model", runner.load.modelName),
                            ("mode", runner.load.key.mode.rawValue),
                        ]
                        return MetricFamily.parse(text, adding: labels)
                    }
                }
                for try await found in group { families += found }
            }
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: MetricFamily.text(families))))
        }
    }

    private static func ask(_ runner: Runner, on eventLoop: any EventLoop) async throws -> String {
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/metrics",
            headers: ["host": runner.address.host, "connection": "close"])
        let asking = Task {
            let (exchange, head) = try await EngineExchange.begin(
                head, body: ByteBuffer(), to: runner.address, on: eventLoop)
            guard head.status == .ok else { return "" }
            return String(buffer: try await exchange.collect(upTo: maximumAnswer))
        }
        let limit = eventLoop.scheduleTask(in: patience) { asking.cancel() }
        defer { limit.cancel() }
        return try await asking.value
    }
}
