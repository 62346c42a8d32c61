/// Runs `body` for at most `limit`.
///
/// - Throws: `Failure(.timedOut)` with `message` when the time is over; `body` has been cancelled and has ended by then.
package func withDeadline<R: Sendable>(
    _ limit: Duration, _ message: @autoclosure @Sendable () -> String, _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
    try await withThrowingTaskGroup(of: R?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        if let first = try await group.next(), let result = first { return result }
        throw Failure(.timedOut, message())
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    package var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }

    /// For a person: `12 ms`, `2.50 seconds`.
    package var text: String {
        milliseconds < 1000 ? "\(milliseconds) ms" : "\((Double(milliseconds) / 1000).fixed(2)) seconds"
    }
}

/// Runs `body` to its end also where the surrounding task is cancelled: for putting away what must not be left behind.
package func shielded<R: Sendable>(_ body: @escaping @Sendable () async -> R) async -> R {
    await Task { await body() }.value
}

/// Waits until the surrounding task is cancelled.
package func untilCancelled() async {
    while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
}
