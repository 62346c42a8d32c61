import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import SystemPackage
import Testing

extension Integration.EraMatrixTests {
    /// Asks a gateway for a tool as a modern client that can be asked questions.
    private static func call(
        _ base: String, as user: String, _ params: JSON
    ) async throws -> (status: UInt, body: JSON) {
        var whole = params.object ?? JSON.Object([])
        whole["_meta"] = [
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": ["elicitation": [:]],
        ]
        let body: JSON = ["jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": .object(whole)]
        var request = HTTPClientRequest(url: base + "/mcp")
        request.method = .POST
        request.headers = [
            "authorization": "Bearer \(user)-of-the-tests", "content-type": "application/json",
            "accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call", "mcp-name": params["name"]?.string ?? "",
        ]
        request.body = .bytes(body.bytes)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return (response.status.code, try JSON(parsing: try await response.body.collect(upTo: 1 << 20)))
    }

    /// What a client carries between two requests is worth nothing to anybody else, for anything else, or twice.
    @Test func hostileStatesAreRefusedAndHaveNoEffect() async throws {
        try await withServer("legacy", "http") { (place, gateway) async throws in
            let tokens = place.folder.appending("tokens")
            let users = "alice: {secret: alice-of-the-tests}\nbob: {secret: bob-of-the-tests}\n"
            try Files.write(ByteBuffer(string: users), to: tokens, mode: 0o600)
            let port = try await Workplace.freePort()
            let base = "http://127.0.0.1:\(port)"
            let stated = Promise<String>()
            let command = gateway + ["--transport", "streaming", "--port", "\(port)", "--tokens", tokens.string]
            let text = try await beside(place, command) {
                try await eventually("the gateway is ready") { await answers(base + "/ready", 200) }
                let asked = try await Self.call(base, as: "alice", ["name": "paint", "arguments": [:]]).body
                let result = try #require(asked["result"], "\(asked.text)")
                #expect(result["resultType"] == "input_required")
                let state = try #require(result["requestState"]?.string)
                stated.fulfil(.success(state))
                let key = try #require(result["inputRequests"]?.object?.members.first?.name)
                func retry(
                    _ state: String, as user: String = "alice", color: JSON = "blue", arguments: JSON = [:]
                ) async throws -> (status: UInt, body: JSON) {
                    try await Self.call(
                        base, as: user,
                        [
                            "name": "paint", "arguments": arguments, "requestState": .string(state),
                            "inputResponses": [key: ["action": "accept", "content": ["color": color]]],
                        ])
                }
                let middle = state.index(state.startIndex, offsetBy: state.count / 2)
                let changed =
                    state[..<middle] + (state[middle] == "A" ? "B" : "A") + state[state.index(after: middle)...]
                for (status, body) in [
                    try await retry(String(changed), color: "red"), try await retry("x", color: "red"),
                    try await retry(state, as: "bob", color: "red"),
                    try await retry(state, color: "red", arguments: ["other": 1]),
                ] {
                    #expect(status == 400 && body["error"]?["code"]?.int == -32602, "\(body.text)")
                }
                // None of them has been heard by the call that waits.
                let answered = try await retry(state).body
                #expect(answered["result"]?["content"]?.array?.first?["text"] == "painted blue", "\(answered.text)")
                let (status, body) = try await retry(state, color: "red")
                #expect(status == 400 && body["error"]?["code"]?.int == -32602, "\(body.text)")
            }
            let refusals = text.split(separator: "\n").filter { $0.contains("a requestState that was refused") }
            #expect(refusals.count == 5, "\(text)")
            #expect(refusals.contains { $0.contains("bob") })
            #expect(!text.contains(try await stated.value))
        }
    }
}
