package import OCI
private import Synchronization

/// How far one layer of a transfer has come.
package struct PullProgress: Hashable, Sendable {
    package let layer: Digest
    /// Bytes.
    package let layerSize: Int64
    package let layerCurrent: Int64
    /// Bytes of all layers together.
    package let total: Int64

    package init(layer: Digest, layerSize: Int64, layerCurrent: Int64, total: Int64) {
        self.layer = layer
        self.layerSize = layerSize
        self.layerCurrent = layerCurrent
        self.total = total
    }
}

/// Decides which of a layer's many steps are worth telling: after 100 ms, after a mebibyte that took 20 ms at least,
/// and the last one.
struct ProgressThrottle: Sendable {
    static let interval = Duration.milliseconds(100)
    /// Faster than this nobody reads, and every line costs its reader and its writer.
    static let pause = Duration.milliseconds(20)
    static let step: Int64 = 1 << 20

    private let size: Int64
    private var lastTime: ContinuousClock.Instant
    private var lastCount: Int64 = 0
    private var isComplete = false

    init(size: Int64, now: ContinuousClock.Instant) {
        self.size = size
        lastTime = now
    }

    mutating func shouldReport(_ count: Int64, now: ContinuousClock.Instant) -> Bool {
        guard !isComplete else { return false }
        let isLast = count >= size
        let elapsed = now - lastTime
        guard isLast || elapsed >= Self.interval || elapsed >= Self.pause && count - lastCount >= Self.step else {
            return false
        }
        (lastTime, lastCount, isComplete) = (now, count, isLast)
        return true
    }
}

/// One layer's throttle, shared with whoever moves its bytes.
final class LayerProgress: Sendable {
    private let layer: Descriptor
    private let total: Int64
    private let throttle: Mutex<ProgressThrottle>
    private let report: @Sendable (PullProgress) async throws -> Void

    init(_ layer: Descriptor, total: Int64, report: @escaping @Sendable (PullProgress) async throws -> Void) {
        self.layer = layer
        self.total = total
        self.report = report
        throttle = Mutex(ProgressThrottle(size: layer.size, now: .now))
    }

    func moved(to count: Int64) async throws {
        guard throttle.withLock({ $0.shouldReport(count, now: .now) }) else { return }
        try await report(PullProgress(layer: layer.digest, layerSize: layer.size, layerCurrent: count, total: total))
    }
}
