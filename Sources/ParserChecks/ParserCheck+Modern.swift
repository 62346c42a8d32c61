internal import Bridge
internal import Core
internal import MCP
internal import NIOCore

/// What clients and servers of the modern protocol send.
extension ParserCheck {
    static func envelope(_ bytes: [UInt8]) throws {
        let params = try RawJSON(checking: ByteBuffer(bytes: bytes))
        let envelope = try Envelope(of: params)
        let plain = Envelope.stripped(from: params)
        try require(!Envelope.isMarked(plain), "an envelope that does not come off")
        let again = try Envelope(of: envelope.written(into: plain))
        try require(again == envelope, "another envelope: \(again) for \(envelope)")
    }

    static func header(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let header = HeaderText.encode(text)
        try require(header.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "a header that is none: \(header)")
        try require(HeaderText.decode(header) == text, "another value: \(text)")
        guard let decoded = HeaderText.decode(text) else { throw Failure(.invalidArgument, "not a header") }
        try require(HeaderText.decode(HeaderText.encode(decoded)) == decoded, "a value that does not come back")
    }

    static func parameterHeaders(_ bytes: [UInt8]) throws {
        let tool = try RawJSON(checking: ByteBuffer(bytes: bytes))
        let headers = try ParameterHeaders(ofTool: tool)
        let sent = headers.headers(for: tool["arguments"])
        for header in sent {
            let isWhole = header.name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            try require(isWhole && HeaderText.decode(header.value) != nil, "a header that is none: \(header)")
        }
        do throws(RPC.Error) {
            try headers.check(tool["arguments"]) { name in sent.filter { $0.name == name }.map(\.value) }
        } catch { throw Violation(description: "our own headers are refused: \(error)") }
    }

    private static let seal = StateSeal()
    private static let binding = StateSeal.Binding(principal: "somebody", digest: "digest")
    private static let content = Array("content".utf8)

    static func requestState(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let opened: [UInt8]
        do { opened = try seal.open(text, for: binding, now: 0) } catch { throw Failure(.unauthorized, "refused") }
        try require(opened == content && text == stateText, "a state that nobody sealed")
    }

    private static let stateText = (try? seal.seal(content, for: binding, expiry: 1000)) ?? ""

    static var stateSeed: [UInt8] { Array(stateText.utf8) }

    private static let marks =
        #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":"#

    static let envelopeTexts = [
        #"{"name":"x","arguments":{"a":[1.0]},"_meta":{\#(marks){"elicitation":{}},"progressToken":7}}"#,
        #"{"_meta":{"a":"b",\#(marks){},"io.modelcontextprotocol/logLevel":"info","#
            + #""io.modelcontextprotocol/clientInfo":{"name":"c"}}}"#,
    ]

    static let schemaTexts = [
        #"{"inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"Region"},"#
            + #""p":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},"#
            + #""b":{"type":"boolean","x-mcp-header":"b"}}},"arguments":{"r":"é","p":{"n":42.0},"b":true}}"#
    ]
}
