import Core
import NIOCore
import Subprocess
import SystemPackage
import Testing

extension Integration {
    /// A gateway whose configuration changes under a client that stays.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(2))) struct LiveChangesTests {
        private static func line(_ id: Int, _ method: String, _ params: String = "{}") -> String {
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"# + "\n"
        }

        @Test func aServerThatIsEnabledIsThereAtOnceAndTheOthersGoOn() async throws {
            try await Workplace.with { place in
                let catalog = place.folder.appending("live.yaml")
                try Files.write(
                    ByteBuffer(
                        string: "registry:\n  live-a: {image: 'wharf/demo-tools:latest'}\n"
                            + "  live-b: {image: 'wharf/demo-tools:latest', prefix: b}\n"), to: catalog)
                let registry = place.folder.appending(".docker/mcp/registry.yaml")
                try Files.makeDirectory(registry.removingLastComponent())
                try Files.write(ByteBuffer(string: "registry: {live-a: {ref: ''}}\n"), to: registry)
                _ = try await Subprocess.run(
                    .path(.init(RealParts.path("WHARF_BIN"))),
                    arguments: ["mcp", "gateway", "run", "--catalog", catalog.string], environment: place.variables(),
                    input: .inputWriter, output: .sequence, error: .discarded
                ) { execution in
                    let input = execution.standardInputWriter
                    _ = try await input.write(
                        Self.line(1, "initialize", #"{"protocolVersion":"2025-11-25","capabilities":{}}"#)
                            + Self.line(2, "tools/list"))
                    var lines = LineSplitter(maximumLength: 1 << 20)
                    var start = ContinuousClock.now
                    chunks: for try await chunk in execution.standardOutput {
                        let bytes = chunk.withUnsafeBytes { ByteBuffer(bytes: $0) }
                        for message in try lines.append(bytes).map({ try JSON(parsing: $0) }) {
                            switch (message["id"]?.int, message["method"]?.string) {
                            case (2, _):
                                #expect(message["result"]?["tools"]?.array?.count == 5)
                                _ = try await input.write(
                                    Self.line(3, "tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#))
                            case (3, _):
                                #expect(message["result"]?["content"]?.array?.first?["text"] == "hi")
                                start = .now
                                try Files.write(
                                    ByteBuffer(string: "registry: {live-a: {ref: ''}, live-b: {ref: ''}}\n"),
                                    to: registry)
                            case (_, "notifications/tools/list_changed"):
                                // A container is started for the list in that time too.
                                #expect(ContinuousClock.now - start < .seconds(20))
                                _ = try await input.write(Self.line(4, "tools/list"))
                            case (4, _):
                                #expect(message["result"]?["tools"]?.array?.count == 10)
                                try await eventually("the status tells of it") {
                                    let status = try await place.wharf("mcp", "gateway", "status", "--json")
                                    let report = try JSON(parsing: status.out).array?.first
                                    let servers = report?["servers"]?.array ?? []
                                    return servers.map { $0["name"]?.string } == ["live-a", "live-b"]
                                        && servers.first?["calls"]?.int == 1
                                        && report?["clients"]?.array?.count == 1
                                }
                                break chunks
                            default: break
                            }
                        }
                    }
                    try await input.finish()
                }
                let status = try await place.wharf("mcp", "gateway", "status")
                #expect(status.out == "No gateway is running\n", "\(status.text)")
            }
        }

        /// One of the files that the gateway watches, with two contents to go to and fro between.
        struct Change: Sendable, CustomTestStringConvertible {
            let file: String
            let contents: [String]
            /// What the gateway writes when it has taken the change.
            let sign: String

            var testDescription: String { file }
        }

        private static let catalog = """
            registry:
              live:
                image: wharf/demo-tools:latest
                env: [{name: WORD, value: '{{live.word}}'}]
                secrets: [{name: live.key, env: KEY}]
            """

        @Test(arguments: [
            Change(
                file: "catalog.yaml", contents: [catalog + "\n    prefix: p\n", catalog + "\n    prefix: q\n"],
                sign: "changed: live"),
            Change(
                file: "config.yaml", contents: ["live: {word: one}\n", "live: {word: two}\n"], sign: "changed: live"),
            Change(file: "tools.yaml", contents: ["live: []\n", "live: [echo]\n"], sign: "tools/list_changed"),
            Change(file: "secrets", contents: ["live.key=one\n", "live.key=three\n"], sign: "changed: live"),
        ])
        func everyFileIsAppliedWithinASecond(_ change: Change) async throws {
            try await Workplace.with { place in
                let files = [
                    "catalog.yaml": Self.catalog + "\n", "config.yaml": "live: {word: none}\n",
                    "tools.yaml": "live: [echo]\n", "secrets": "live.key=x\n",
                ]
                for (name, text) in files {
                    try Files.write(ByteBuffer(string: text), to: place.folder.appending(name))
                }
                func path(_ name: String) -> String { place.folder.appending(name).string }
                let command = [
                    "-c", #"exec "$@" 2>&1"#, "sh", try RealParts.path("WHARF_BIN"), "mcp", "gateway", "run",
                    "--catalog",
                    path("catalog.yaml"), "--servers", "live", "--config", path("config.yaml"), "--tools-config",
                    path("tools.yaml"), "--secrets", path("secrets"),
                ]
                let best = try await Subprocess.run(
                    .path("/bin/sh"), arguments: Arguments(command), environment: place.variables(),
                    input: .inputWriter, output: .sequence, error: .discarded
                ) { execution in
                    let input = execution.standardInputWriter
                    _ = try await input.write(
                        Self.line(1, "initialize", #"{"protocolVersion":"2025-11-25","capabilities":{}}"#)
                            + Self.line(2, "tools/list"))
                    var lines = LineSplitter(maximumLength: 1 << 20)
                    var times: [Duration] = []
                    var start: ContinuousClock.Instant?
                    // Once more where the machine was busy with something else.
                    func write() throws -> ContinuousClock.Instant {
                        let text = change.contents[times.count % 2]
                        try Files.write(ByteBuffer(string: text), to: place.folder.appending(change.file))
                        return .now
                    }
                    chunks: for try await chunk in execution.standardOutput {
                        for line in try lines.append(chunk.withUnsafeBytes { ByteBuffer(bytes: $0) }) {
                            let text = String(buffer: line)
                            if start == nil, text.contains(#""id":2"#) { start = try write() }
                            guard let began = start, text.contains(change.sign) else { continue }
                            times.append(.now - began)
                            if times.count == 4 || times.min() ?? .seconds(9) < .seconds(1) { break chunks }
                            start = try write()
                        }
                    }
                    try await input.finish()
                    return times.min()
                }.closureResult
                #expect(try #require(best) < .seconds(1))
            }
        }
    }
}
