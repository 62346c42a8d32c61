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
    }
}
