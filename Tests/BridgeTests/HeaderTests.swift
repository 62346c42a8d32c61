import Core
import MCP
import Testing

@Suite struct HeaderTests {
    @Test(arguments: [
        ("plain", "plain"), ("two words", "two words"), ("", ""), (" edge", "=?base64?IGVkZ2U=?="),
        ("edge ", "=?base64?ZWRnZSA=?="), ("é", "=?base64?w6k=?="), ("a\r\nX: y", "=?base64?YQ0KWDogeQ==?="),
        ("=?base64?w6k=?=", "=?base64?PT9iYXNlNjQ/dzZrPT89?="), ("=?base64?", "=?base64?"), ("a\tb", "=?base64?YQli?="),
    ])
    func textSurvives(_ text: String, _ header: String) {
        #expect(HeaderText.encode(text) == header)
        #expect(HeaderText.decode(header) == text)
        #expect(HeaderText.decode(" \t\(header) ") == text)
    }

    @Test(arguments: ["=?base64?w6k?=", "=?base64?w6l=?=", "=?base64?/w==?=", "=?base64?*?=", "é", "a\u{1}b", "\u{7F}"])
    func whatNoSenderWrites(_ header: String) { #expect(HeaderText.decode(header) == nil) }

    private static let schema = #"""
        {"inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},
        "place":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
        "dry":{"type":"boolean","x-mcp-header":"dry"},"other":{"type":"number"}}}}
        """#

    @Test(arguments: [
        (
            #"{"region":"eu","place":{"n":42},"dry":true,"other":1}"#,
            ["Mcp-Param-Region: eu", "Mcp-Param-N: 42", "Mcp-Param-dry: true"]
        ),
        (#"{"region":null,"place":{}}"#, []), (#"{"place":5,"region":["x"]}"#, []),
        (#"{"place":{"n":42.0},"region":"ü"}"#, ["Mcp-Param-Region: =?base64?w7w=?=", "Mcp-Param-N: 42"]),
    ])
    func argumentsAreMirrored(_ arguments: String, _ expected: [String]) throws {
        let headers = try ParameterHeaders(ofTool: try raw(Self.schema))
        let sent = headers.headers(for: try raw(arguments))
        #expect(sent.map { "\($0.name): \($0.value)" } == expected)
        try headers.check(try raw(arguments)) { name in
            sent.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        }
    }

    @Test(
        arguments: [
            (#"{"region":"eu"}"#, []), (#"{"region":"eu"}"#, ["us"]), (#"{"region":"eu"}"#, ["eu", "eu"]),
            (#"{}"#, ["eu"]),
            (#"{"region":null}"#, ["eu"]), (#"{"region":"eu"}"#, ["EU"]), (#"{"region":"é"}"#, ["=?base64?w6l=?="]),
        ] as [(String, [String])])
    func mismatchesAreRefused(_ arguments: String, _ values: [String]) throws {
        let headers = try ParameterHeaders(ofTool: try raw(Self.schema))
        let arguments = try raw(arguments)
        let error = #expect(throws: RPC.Error.self) {
            try headers.check(arguments) { $0 == "Mcp-Param-Region" ? values : [] }
        }
        #expect(error?.code == -32020)
    }

    @Test(arguments: [
        ("42", "42", true), ("42", "42.0", true), ("42.0", "42", true), ("42", "043", false), ("42", "4.2e1", false),
        ("42", "43", false), ("-1", "-1", true), ("42", "42.5", false), ("42", "", false), (#""42""#, "42", true),
    ])
    func integersAreComparedAsNumbers(_ value: String, _ header: String, _ agrees: Bool) throws {
        let headers = try ParameterHeaders(ofTool: try raw(Self.schema))
        let arguments = try raw(#"{"place":{"n":\#(value)}}"#)
        let outcome = Result { try headers.check(arguments) { $0 == "Mcp-Param-N" ? [header] : [] } }
        if case .success = outcome { #expect(agrees) } else { #expect(!agrees) }
    }

    @Test(arguments: [
        #"{"x-mcp-header":"A"}"#, #"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#,
        #"{"properties":{"a":{"type":["string"],"x-mcp-header":"A"}}}"#, #"{"properties":{"a":{"x-mcp-header":"A"}}}"#,
        #"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#,
        #"{"properties":{"a":{"type":"string","x-mcp-header":"A B"}}}"#,
        #"{"properties":{"a":{"type":"string","x-mcp-header":"A\r\nB"}}}"#,
        #"{"properties":{"a":{"type":"string","x-mcp-header":1}}}"#,
        #"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}"#,
        #"{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
        #"{"allOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
        #"{"$defs":{"d":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}}"#,
        #"{"properties":{"a":{"oneOf":[{"type":"string","x-mcp-header":"A"}]}}}"#,
    ])
    func annotationsThatAreWrong(_ schema: String) throws {
        let schema = try raw(schema).parsed()
        #expect(throws: Failure.self) { try ParameterHeaders(schema: schema) }
    }

    @Test(arguments: [
        #"{"properties":{"a":{"type":"string","default":{"x-mcp-header":"A B"}}}}"#,
        #"{"properties":{"x-mcp-header":{"type":"string"}},"examples":[{"x-mcp-header":1}]}"#, "true", "{}",
    ])
    func whatOnlyLooksLikeAnAnnotation(_ schema: String) throws {
        #expect(try ParameterHeaders(schema: try raw(schema).parsed()).isEmpty)
    }

    @Test func listsSayWhatIsMirrored() throws {
        let good =
            #"{"name":"t","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"R"}}}}"#
        let bad =
            #"{"name":"u","inputSchema":{"type":"object","properties":{"r":{"type":"number","x-mcp-header":"R"}}}}"#
        var headers = ToolHeaders()
        let (page, refused) = headers.note(try raw(#"{"tools":[\#(good),\#(bad)],"nextCursor":"c"}"#))
        #expect(page.text == #"{"tools":[\#(good)],"nextCursor":"c"}"#)
        #expect(refused.count == 1 && refused[0].hasPrefix("u: "))
        let request = RPC.Request(
            id: RPC.ID(1), method: "tools/call", params: try raw(#"{"name":"t","arguments":{"r":"é"}}"#))
        #expect(
            headers.fields(of: request, revision: .v20260728).map { "\($0.name): \($0.value)" } == [
                "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: t",
                "Mcp-Param-R: =?base64?w6k=?=",
            ])
        // A list that comes later counts.
        _ = headers.note(try raw(#"{"tools":[{"name":"t"}]}"#))
        #expect(headers["t"].isEmpty)
    }

    private static let version = "MCP-Protocol-Version"

    @Test(
        arguments: [
            (
                "tools/call", #"{"name":"t","_meta":{\#(envelope)}}"#,
                [version: "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "t"], nil
            ),
            (
                "tools/call", #"{"name":"t","_meta":{\#(envelope)}}"#,
                [version: "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": " =?base64?dA==?="], nil
            ),
            ("tools/list", #"{"_meta":{\#(envelope)}}"#, [version: "2026-07-28", "Mcp-Method": "tools/list"], nil),
            ("tools/list", #"{"_meta":{\#(envelope)}}"#, ["Mcp-Method": "tools/list"], -32020),
            ("tools/list", #"{"_meta":{\#(envelope)}}"#, [version: "2099-01-01", "Mcp-Method": "tools/list"], -32020),
            ("tools/list", #"{"_meta":{\#(envelope)}}"#, [version: "2026-07-28"], -32020),
            ("tools/list", #"{"_meta":{\#(envelope)}}"#, [version: "2026-07-28", "Mcp-Method": "TOOLS/LIST"], -32020),
            (
                "tools/call", #"{"name":"t","_meta":{\#(envelope)}}"#,
                [version: "2026-07-28", "Mcp-Method": "tools/call"], -32020
            ),
            (
                "resources/read", #"{"uri":"a:b","_meta":{\#(envelope)}}"#,
                [version: "2026-07-28", "Mcp-Method": "resources/read", "Mcp-Name": "a:c"], -32020
            ),
            (
                "tasks/get", #"{"taskId":"1","_meta":{\#(envelope)}}"#,
                [version: "2026-07-28", "Mcp-Method": "tasks/get"], -32020
            ),
            ("tools/call", #"{"_meta":{\#(envelope)}}"#, [version: "2026-07-28", "Mcp-Method": "tools/call"], nil),
            (
                "tools/call", #"{"_meta":{\#(envelope)}}"#,
                [version: "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "t"], -32020
            ),
        ] as [(String, String, [String: String], Int?)])
    func headersSayWhatTheBodySays(_ method: String, _ params: String, _ headers: [String: String], _ code: Int?) throws
    {
        let request = RPC.Request(id: RPC.ID(1), method: method, params: try raw(params))
        let outcome = Result { try RoutingHeaders.check(request) { name in headers[name].map { [$0] } ?? [] } }
        switch outcome {
        case .success:
            #expect(code == nil)
            let sent = RoutingHeaders.fields(of: request, revision: .v20260728)
            #expect(sent.allSatisfy { HeaderText.decode($0.value) == headers[$0.name].flatMap(HeaderText.decode) })
        case .failure(let error): #expect((error as? RPC.Error)?.code == code)
        }
    }
}
