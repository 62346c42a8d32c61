import Core
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// Clients from beyond this machine. Linux gives the daemon a network of its own for it, which nobody else reaches.
    @Suite(.enabled(if: RealParts.isThere && onLinux), .timeLimit(.minutes(5))) struct AccessTests {
        @Test func withAKeyOverTLS() async throws {
            try await Workplace.with { place in
                let script = RealParts.repository.appending("Tests/Clients/access_client.py").string
                let outcome = try await place.run(
                    "/usr/bin/env",
                    [
                        "unshare", "--net", RealParts.path("WHARF_CLIENTS_PYTHON"), script,
                        RealParts.path("WHARF_BIN"), RealParts.pebble.string,
                    ])
                let seen = try #require(try? JSON(parsing: outcome.out), "\(outcome.text)")
                let openAI: JSON = ["error"]
                let anthropic: JSON = ["error", "type"]
                let expected: JSON = [
                    "keys": [
                        ["name": "limited", "models": ["docker.io/ai/pebble:latest"], "requests_per_minute": 8],
                        ["name": "any"],
                    ],
                    "answers": ["openai": "Snow is white.", "anthropic": "Snow is white.", "ollama": "Snow is white."],
                    "otherModel": [
                        "openai": ["PermissionDeniedError", 403, false, openAI],
                        "anthropic": ["PermissionDeniedError", 403, false, anthropic],
                        "ollama": ["ResponseError", 403],
                    ],
                    "managed": [403, 403],
                    "tooOften": [
                        "openai": ["RateLimitError", 429, true, openAI],
                        "anthropic": ["RateLimitError", 429, true, anthropic], "ollama": ["ResponseError", 429],
                    ],
                    "ollamaTooOften": [429, true, ["error"]],
                    "noKey": [
                        "openai": ["AuthenticationError", 401, false, openAI],
                        "anthropic": ["AuthenticationError", 401, false, anthropic], "ollama": ["ResponseError", 401],
                    ],
                    "plain": "Snow is white.", "untrusted": ["ConnectError"],
                    "tlsOnThePlainPort": ["APIConnectionError"], "here": 200,
                    "removed": ["AuthenticationError", 401, false, openAI], "exit": 0,
                ]
                for (name, value) in expected.object?.members ?? [] {
                    #expect(
                        seen[name] == value, "\(name): \(seen[name]?.text ?? "nothing"); \(outcome.err.suffix(600))")
                }
            }
        }
    }
}

#if os(Linux)
    private let onLinux = true
#else
    private let onLinux = false
#endif
