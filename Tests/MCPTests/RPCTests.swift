import Core
import MCP
import NIOCore
import Testing

@Suite struct RPCTests {
    @Test(arguments: [
        #"{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":1.0}}"#, #"{"jsonrpc":"2.0","id":"1","method":"a"}"#,
        #"{"jsonrpc":"2.0","method":"n","params":{}}"#, #"{"jsonrpc":"2.0","id":-7,"result":{"b":1,"a":2}}"#,
        #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}"#,
        #"{"jsonrpc":"2.0","id":1,"error":{"message":"no","code":1e2,"data":{"a":1.0},"more":[]}}"#,
    ])
    func roundTrips(_ text: String) throws {
        #expect(String(buffer: try RPC.Message(parsing: ByteBuffer(string: text)).bytes) == text)
    }

    @Test(arguments: [
        ("nonsense", -32700), ("[]", -32600), ("5", -32600), (#"{"id":1,"method":"a"}"#, -32600),
        (#"{"jsonrpc":"2.0"}"#, -32600), (#"{"jsonrpc":"2.0","id":{},"method":"a"}"#, -32600),
        (#"{"jsonrpc":"2.0","id":null,"method":"a"}"#, -32600), (#"{"jsonrpc":"2.0","id":1,"method":5}"#, -32600),
        (#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#, -32600),
    ])
    func refuses(_ text: String, _ code: Int) {
        let error = #expect(throws: RPC.Error.self) { try RPC.Message(parsing: ByteBuffer(string: text)) }
        #expect(error?.code == code)
    }

    @Test func aNewlineInsideAValueCannotEndTheMessage() throws {
        let text = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\n \"a\":1}}"
        let bytes = try RPC.Message(parsing: ByteBuffer(string: text)).bytes
        #expect(String(buffer: bytes) == #"{"jsonrpc":"2.0","id":1,"result":{  "a":1}}"#)
    }

    @Test(arguments: [
        ("2024-11-05", ProtocolVersion.v20241105), ("2025-06-18", .v20250618), ("2026-07-28", .latest),
        ("x", .latest),
    ])
    func negotiates(_ asked: String, _ expected: ProtocolVersion) {
        #expect(ProtocolVersion.negotiate(asked) == expected)
    }
}

@Suite struct ServerLifecycleTests {
    private func request(_ method: String, _ params: JSON? = nil) -> RPC.Request {
        RPC.Request(id: RPC.ID(1), method: method, params: params.map { RawJSON($0) })
    }

    @Test func goesFromNewToInitialized() throws {
        var lifecycle = ServerLifecycle(.init(name: "s", version: "1", capabilities: ["tools": [:]]))
        #expect(try lifecycle.step(request("ping"))?.text == "{}")
        let answer = try lifecycle.step(request("initialize", ["protocolVersion": "2025-03-26"]))
        #expect(
            answer?.text
                == #"{"protocolVersion":"2025-03-26","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#
        )
        #expect(lifecycle.phase == .initialized(.v20250326))
        #expect(try lifecycle.step(request("tools/list")) == nil)
    }

    @Test(arguments: [
        (["tools/list"], -32600), (["server/discover"], -32601), (["initialize", "initialize"], -32600),
    ])
    func refusesWhatComesTooEarlyOrTwice(_ methods: [String], _ code: Int) {
        var lifecycle = ServerLifecycle(.init(name: "s", version: "1", capabilities: [:]))
        let error = #expect(throws: RPC.Error.self) {
            for method in methods { _ = try lifecycle.step(request(method, ["protocolVersion": "2025-06-18"])) }
        }
        #expect(error?.code == code)
    }

    @Test func initializeNeedsAVersion() {
        var lifecycle = ServerLifecycle(.init(name: "s", version: "1", capabilities: [:]))
        let error = #expect(throws: RPC.Error.self) { try lifecycle.step(request("initialize")) }
        #expect(error?.code == -32602)
    }
}
