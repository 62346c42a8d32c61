import SystemPackage
import Testing

extension Integration {
    /// A small share of `make soak`: clients that leave at any moment, an engine and a daemon killed under load.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct SoakTests {
        #if os(Linux)
            @Test func nothingLeaksAndEveryClientGetsAnAnswerOrAnError() async throws {
                try await Workplace.with { place in
                    let script = RealParts.repository.appending("bench/soak.py").string
                    let outcome = try await place.run(
                        "/usr/bin/env",
                        [
                            "python3", script, "--wharf", RealParts.path("WHARF_BIN"), "--model",
                            RealParts.pebble.string, "--home", place.folder.appending("soak").string, "--aborts", "160",
                            "--kills", "2", "--clients", "8",
                        ])
                    #expect(outcome.status == 0, "\(outcome.text)")
                }
            }
        #endif
    }
}
