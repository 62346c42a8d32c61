import Testing

@testable import ModelStore

@Suite struct ProgressTests {
    @Test func reportsByTimeByBytesAndTheEnd() {
        let start = ContinuousClock.now
        var throttle = ProgressThrottle(size: 5 << 20, now: start)
        let steps: [(count: Int64, milliseconds: Int, told: Bool)] = [
            (10, 1, false), (1 << 20, 2, true), ((1 << 20) + 1, 3, false), ((1 << 20) + 2, 103, true),
            ((2 << 20) + 1, 104, false), ((2 << 20) + 2, 105, true), (5 << 20, 106, true), (5 << 20, 300, false),
        ]
        for step in steps {
            #expect(throttle.shouldReport(step.count, now: start + .milliseconds(step.milliseconds)) == step.told)
        }
    }
}
