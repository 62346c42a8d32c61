import Core
import MCP
import NIOCore
import Testing

/// The bytes of a JSON text.
func raw(_ text: String) throws -> RawJSON { try RawJSON(checking: ByteBuffer(string: text)) }

/// An envelope's members, for texts.
let envelope =
    #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#

@Suite struct EnvelopeTests {
    @Test(
        arguments: [
            (envelope, nil, "{}"),
            (#"\#(envelope),"io.modelcontextprotocol/logLevel":"info","progressToken":1"#, LogLevel.info, "{}"),
            (
                #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{ }},"#
                    + #""io.modelcontextprotocol/clientInfo":{"name":"c"}"#, nil, #"{"roots":{ }}"#
            ),
            (#"\#(envelope),"io.modelcontextprotocol/clientInfo":null"#, nil, "{}"),
        ] as [(String, LogLevel?, String)])
    func reads(_ meta: String, _ level: LogLevel?, _ capabilities: String) throws {
        let read = try Envelope(of: try raw(#"{"_meta":{\#(meta)},"name":"x"}"#))
        #expect(read.revision == .v20260728)
        #expect(read.level == level)
        #expect(read.capabilities.text == capabilities)
    }

    private static let version = #""io.modelcontextprotocol/protocolVersion":"2026-07-28""#

    @Test(arguments: [
        ("{}", -32602), (#"{"_meta":1}"#, -32602), (#"{"_meta":{}}"#, -32602),
        (#"{"_meta":{\#(Self.version)}}"#, -32602),
        (#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#, -32602),
        (#"{"_meta":{\#(Self.version),"io.modelcontextprotocol/clientCapabilities":[]}}"#, -32602),
        (#"{"_meta":{\#(envelope),"io.modelcontextprotocol/logLevel":"loud"}}"#, -32602),
        (#"{"_meta":{\#(envelope),"io.modelcontextprotocol/clientInfo":"me"}}"#, -32602),
        (
            #"{"_meta":{"io.modelcontextprotocol/protocolVersion":7,"io.modelcontextprotocol/clientCapabilities":{}}}"#,
            -32602
        ),
        (
            #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25","io.modelcontextprotocol/clientCapabilities":{}}}"#,
            -32022
        ),
        (
            #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}"#,
            -32022
        ),
    ])
    func refuses(_ params: String, _ code: Int) throws {
        let params = try raw(params)
        let error = #expect(throws: RPC.Error.self) { try Envelope(of: params) }
        #expect(error?.code == code)
        #expect((error?.supportedVersions == ["2026-07-28"]) == (code == -32022))
    }

    @Test(arguments: [
        (#"{"name":"x"}"#, #"{"name":"x"}"#),
        (#"{"_meta":{"progressToken":1.0}}"#, #"{"_meta":{"progressToken":1.0}}"#),
        (#"{"a":1,"_meta":{"io.modelcontextprotocol/logLevel":"info"}}"#, #"{"a":1}"#),
        (
            #"{"_meta":{\#(envelope),"traceparent":"t","io.modelcontextprotocol/related-task":{}},"a":[ 1 ]}"#,
            #"{"_meta":{"traceparent":"t","io.modelcontextprotocol/related-task":{}},"a":[ 1 ]}"#
        ),
    ])
    func comesOffAgain(_ params: String, _ expected: String) throws {
        let stripped = Envelope.stripped(from: try raw(params))
        #expect(stripped.text == expected)
        // Put on and taken off, nothing else has changed.
        let written = Envelope(capabilities: RawJSON([:]), level: .error).written(into: stripped)
        #expect(try Envelope(of: written).level == .error)
        #expect(try Envelope.stripped(from: written).parsed() == stripped.parsed())
    }

    @Test(
        arguments: [
            (nil, #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, Era.handshake),
            ("2025-06-18", #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, .handshake),
            ("2026-07-28", #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, .modern),
            ("2099-01-01", #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, .modern),
            ("2026-07-28", #"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#, .handshake),
            (nil, #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{\#(envelope)}}}"#, .modern),
            (nil, #"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#, .handshake),
            (nil, #"{"jsonrpc":"2.0","id":1,"result":{}}"#, .handshake),
        ] as [(String?, String, Era)])
    func aPostHasAnEra(_ version: String?, _ body: String, _ expected: Era) throws {
        let message = try RPC.Message(parsing: ByteBuffer(string: body))
        #expect(Era.ofHTTP(version: version, message: message) == expected)
        #expect(Era.ofHTTP(version: version, message: nil) == .handshake)
    }

    @Test(
        arguments: [
            (#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#, Era.handshake),
            (#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, .handshake),
            (#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#, .modern),
            (#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{\#(envelope)}}}"#, .modern),
            (#"{"jsonrpc":"2.0","method":"x"}"#, nil), (#"{"jsonrpc":"2.0","id":1,"result":{}}"#, nil),
        ] as [(String, Era?)])
    func theFirstLineDecides(_ text: String, _ expected: Era?) throws {
        #expect(Era.ofFirst(try RPC.Message(parsing: ByteBuffer(string: text))) == expected)
    }
}

@Suite struct ModernResultTests {
    private let server = RawJSON(["name": "w"])

    @Test(arguments: [
        (
            "tools/list", #"{"tools":[ ]}"#,
            #"{"resultType":"complete","tools":[ ],"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"w"}}}"#
        ),
        (
            "tools/call", #"{"content":[],"_meta":{"a":1.0},"isError":true}"#,
            #"{"resultType":"complete","content":[],"isError":true,"_meta":{"a":1.0,"io.modelcontextprotocol/serverInfo":{"name":"w"}}}"#
        ),
        (
            "resources/read", #"{"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"public"}"#,
            #"{"resultType":"complete","contents":[],"ttlMs":5,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"w"}}}"#
        ),
    ])
    func isCompletedAndMadePlain(_ method: String, _ result: String, _ expected: String) throws {
        let whole = ModernResult.complete(try raw(result), of: method, server: server)
        #expect(whole.text == expected)
        #expect(try ModernResult.kind(of: whole) == .complete)
        let plain = ModernResult.plain(whole, of: method)
        for name in ["resultType", "ttlMs", "cacheScope"] { #expect(plain[name] == nil) }
        #expect(plain["_meta"]?[Envelope.serverKey] == nil)
        #expect(plain["_meta"] == nil || plain["_meta"]?["a"]?.text == "1.0")
    }

    @Test func onlyTheMembersOfCachingGo() throws {
        let result = try raw(#"{"content":[],"ttlMs":5,"resultType":"complete"}"#)
        #expect(ModernResult.plain(result, of: "tools/call").text == #"{"content":[],"ttlMs":5}"#)
    }

    @Test(arguments: [
        #"{"resultType":"input_required"}"#, #"{"resultType":"input_required","inputRequests":[]}"#,
        #"{"resultType":"input_required","requestState":5}"#,
        #"{"resultType":"input_required","inputRequests":{"k":{"method":"tools/call"}}}"#,
        #"{"resultType":"input_required","inputRequests":{"k":5}}"#,
    ])
    func inputThatCannotBeMeant(_ text: String) throws {
        let result = try raw(text)
        #expect(throws: RPC.Error.self) { try InputRequired(result) }
    }

    @Test func inputComesAndGoes() throws {
        let text =
            #"{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"},"l":{"method":"elicitation/create","params":{ }}},"requestState":"s"}"#
        #expect(try InputRequired(try raw(text)).json.text == text)
    }

    @Test(arguments: [
        (-32700, 400), (-32600, 400), (-32601, 404), (-32602, 400), (-32603, 200), (-32020, 400), (-32021, 400),
        (-32022, 400), (-32000, 200), (5, 200),
    ])
    func errorsHaveAStatus(_ code: Int, _ status: Int) {
        #expect(RPC.Error(code: code, message: "").status == status)
    }

    @Test(
        arguments: [
            ("resources/read", -32602, #"{"uri":"a:b"}"#, -32002), ("resources/read", -32602, nil, -32602),
            ("tools/call", -32602, #"{"uri":"a:b"}"#, -32602), ("tools/call", -32020, nil, -32603),
            ("tools/call", -32021, nil, -32602), ("tools/call", -32601, nil, -32601), ("tools/call", 7, nil, 7),
        ] as [(String, Int, String?, Int)])
    func errorsAreTranslated(_ method: String, _ code: Int, _ data: String?, _ expected: Int) throws {
        let error = RPC.Error(code: code, message: "m", data: try data.map(raw))
        #expect(error.forHandshake(answering: method).code == expected)
        if expected == -32002 { #expect(error.forHandshake(answering: method).modernized.code == code) }
    }
}
