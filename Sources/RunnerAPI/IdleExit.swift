internal import Hummingbird
internal import Inference
internal import Logging
internal import ServiceLifecycle

/// Counts a request as use while its route works on it; answers that stream count themselves.
struct ActivityCounting: RouterMiddleware {
    let activity: Activity

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let use = activity.begin()
        defer { withExtendedLifetime(use) {} }
        return try await next(request, context)
    }
}

/// Ends the daemon, gracefully, when it has been idle for long.
struct IdleExit: Service {
    let limit: Duration
    let activity: Activity
    let scheduler: Scheduler
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while true {
                var rest = limit
                if let since = activity.idleSince, !scheduler.isInUse, !scheduler.holdsRunners {
                    rest = limit - (ContinuousClock.now - since)
                    if rest <= .zero {
                        logger.info("nothing was asked for \(limit.components.seconds) s, stopping")
                        return
                    }
                }
                do { try await Task.sleep(for: rest) } catch { return }
            }
        }
    }
}
