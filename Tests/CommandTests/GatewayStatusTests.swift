import Core
import Testing

@testable import MCPCommands

@Suite struct GatewayStatusTests {
    @Test func whatIsMissingIsADashAndNothingDrivesTheTerminal() {
        let text = GatewayStatus.text([
            "pid": 7, "started": "2026-11-24T14:40:12Z",
            "clients": [["name": "c\u{1b}[2J", "revision": .null, "since": "s", "calls": 3]],
            "servers": [
                [
                    "name": "a", "state": "ready", "places": ["0123456789abcdef", "x"], "era": "handshake",
                    "revision": "2025-11-25",
                    "tools": 5, "calls": 3, "failed": 0, "lastError": .null,
                ]
            ],
        ])
        #expect(text.hasPrefix("Gateway 7, running since 2026-11-24T14:40:12Z\n\nCLIENT"))
        #expect(text.contains("a       ready  0123456789ab and 1 more  handshake  2025-11-25  5"))
        #expect(!text.contains("\u{1b}"))
    }

    @Test(arguments: [("30s", 30), ("5m", 300), ("1h", 3600), ("90", 90), ("0", nil)] as [(String, Int?)])
    func times(_ text: String, _ seconds: Int?) throws {
        #expect(try GatewayOptions.duration(text) == seconds.map { .seconds($0) })
    }

    @Test(arguments: ["", "x", "-1", "1d", "1.5m", "99999999h"]) func noTimes(_ text: String) {
        #expect(throws: Failure.self) { try GatewayOptions.duration(text) }
    }
}
