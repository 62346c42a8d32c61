import Testing

@testable import ModelStore

@Suite struct ProgressTests {
    @Test func reportsByTimeByBytesAndTheEnd() {
        let start = ContinuousClock.now
        var throttle = ProgressThrottle(size: 5 << 20, now: start)
        let steps: [(count: Int64, milliseconds: Int, told: Bool)] = [
            (10, 1, false), (1 << 20, 2, false), ((1 << 20) + 1, 20, true), ((1 << 20) + 2, 119, false),
            ((1 << 20) + 3, 120, true), ((2 << 20) + 2, 140, false), ((2 << 20) + 3, 141, true),
            ((4 << 20) + 3, 150, false), (5 << 20, 151, true), (5 << 20, 300, false),
        ]
        for step in steps {
            #expect(throttle.shouldReport(step.count, now: start + .milliseconds(step.milliseconds)) == step.told)
        }
    }
}
