import Core
import ParserChecks
import SystemPackage
import TestSupport
import Testing

/// Every parser of what comes from outside, with input that is almost right. A trap ends the test run.
@Suite struct MutationTests {
    private static let rounds = 1500

    @Test(arguments: ParserCheck.allCases) func survives(_ check: ParserCheck) async throws {
        try await withTemporaryDirectory { folder in
            let scratch = folder.appending("input")
            for seed in check.seeds {
                let isTaken = try check.run(seed, scratch: scratch)
                #expect(isTaken, "a seed is refused: \(String(decoding: seed, as: UTF8.self))")
            }
            var mutator = Mutator(seed: 42)
            var (taken, refused) = (0, 0)
            for round in 0..<Self.rounds {
                let bytes = mutator.mutate(check.seeds[round % check.seeds.count])
                do {
                    if try check.run(bytes, scratch: scratch) { taken += 1 } else { refused += 1 }
                } catch {
                    Issue.record("round \(round): \(error): \(bytes)")
                    return
                }
            }
            #expect(taken > 0 && refused > 0, "\(taken) taken, \(refused) refused")
        }
    }
}
