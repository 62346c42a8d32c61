import Core
import MCP
import Testing

@testable import Gateway

@Suite struct ShapeTests {
    @Test(
        arguments: [
            (Revision.v20251125, #"{"name":"t","title":"T","outputSchema":{},"icons":[],"x":1.0}"#),
            (.v20250618, #"{"name":"t","title":"T","outputSchema":{},"x":1.0}"#),
            (.v20250326, #"{"name":"t","x":1.0}"#),
            (.v20241105, #"{"name":"t","x":1.0}"#),
        ])
    func aToolIsWhatTheClientKnows(_ version: Revision, _ expected: String) {
        let tool = raw(#"{"name":"t","title":"T","outputSchema":{},"icons":[],"x":1.0}"#)
        #expect(Shape.definition(tool, .tools, for: version).text == expected)
    }

    @Test(
        arguments: [
            (Revision.v20250618, nil),
            (.v20250326, #"{"content":[{"type":"text","text":"N: u"},{"type":"audio","mimeType":"m","data":"x"}]}"#),
            (.v20241105, #"{"content":[{"type":"text","text":"N: u"},{"type":"text","text":"[audio, m]"}]}"#),
        ] as [(Revision, String?)])
    func aResultIsWhatTheClientKnows(_ version: Revision, _ expected: String?) {
        let result =
            #"{"content":[{"type":"resource_link","uri":"u","name":"N"},{"type":"audio","mimeType":"m","data":"x"}],"structuredContent":{}}"#
        #expect(Shape.result(raw(result), of: "tools/call", for: version).text == expected ?? result)
    }

    @Test(arguments: [
        (Revision.v20251125, #"{"type":"object"}"#, true), (.v20251125, #"{"type":"array"}"#, false),
        (.v20251125, ##"{"$ref":"#/$defs/a"}"##, true), (.v20260728, #"{"type":"array"}"#, true),
    ])
    func anyTypeOfOutputCameWithTheModernProtocol(_ version: Revision, _ schema: String, _ stays: Bool) {
        let tool = raw(#"{"name":"t","outputSchema":\#(schema)}"#)
        #expect((Shape.definition(tool, .tools, for: version)["outputSchema"] != nil) == stays)
    }

    @Test func whatIsKnownAlreadyStaysAsItIs() {
        let result = #"{ "content": [ {"type":"text","text":"é"} ] }"#
        #expect(Shape.result(raw(result), of: "tools/call", for: .v20241105).text == result)
    }

    private func listing(_ capabilities: String) -> ServerListing { ServerListing(capabilities: raw(capabilities)) }

    @Test(
        arguments: [
            (
                Revision.v20251125, true,
                #"{"tools":{"listChanged":true},"resources":{"listChanged":true},"completions":{},"tasks":{"list":{}}}"#
            ),
            (.v20250618, true, #"{"tools":{"listChanged":true},"resources":{"listChanged":true},"completions":{}}"#),
            (.v20241105, true, #"{"tools":{"listChanged":true},"resources":{"listChanged":true}}"#),
            (
                .v20241105, false,
                #"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"logging":{}}"#
            ),
        ])
    func capabilitiesAreThoseOfAllServers(_ version: Revision, _ isComplete: Bool, _ expected: String) {
        let all = [listing(#"{"tools":{}}"#), listing(#"{"resources":{},"completions":{},"tasks":{"list":{}}}"#)]
        #expect(Shape.capabilities(all, isComplete: isComplete, for: version).text == expected)
    }

    @Test func instructionsSayWhoseTheyAre() {
        let (a, b) = (ServerListing(instructions: "Do."), ServerListing(instructions: "Do not."))
        #expect(Shape.instructions([("a", a)]) == "Do.")
        #expect(Shape.instructions([("a", a), ("b", b), ("c", listing("{}"))]) == "# a\n\nDo.\n\n# b\n\nDo not.")
        #expect(Shape.instructions([("a", listing("{}")), ("b", listing("{}"))]) == nil)
    }
}

@Suite struct ListTests {
    private func surface(_ count: Int) -> Surface {
        let items = (0..<count).compactMap { ListItem(.tools, raw(#"{"name":"t\#($0)"}"#)) }
        return Surface([.init(server: "a", listing: .init(items: [.tools: items]))])
    }

    @Test func aLongListComesInPages() throws {
        let surface = surface(2500)
        var (names, cursor, pages): ([String], String?, Int) = ([], nil, 0)
        repeat {
            let page = try surface.page(.tools, cursor: cursor, version: .latest).parsed()
            names += page["tools"]?.array?.compactMap { $0["name"]?.string } ?? []
            cursor = page["nextCursor"]?.string
            pages += 1
        } while cursor != nil
        #expect(names == (0..<2500).map { "t\($0)" })
        #expect(pages == 3)
    }

    @Test(arguments: ["", "1", "w.1", "wzzz.1"]) func aCursorThatIsNoneIsRefused(_ cursor: String) {
        let surface = surface(2500)
        let error = #expect(throws: RPC.Error.self) { try surface.page(.tools, cursor: cursor, version: .latest) }
        #expect(error?.code == -32602)
    }

    @Test(
        arguments: [
            ("file:///{path}", "file:///a/b", 8), ("file:///{path}", "http:///a", nil), ("{x}", "anything", 0),
            ("a{x}b{y}c", "a1b2c", 3), ("a{x}b{y}c", "abc", 3), ("a{x}b{y}c", "ac", nil), ("plain", "plain", 5),
            ("plain", "plainer", nil), ("a{x}a", "a", nil), ("r://{id}/x{?q}", "r://1/x?q=2", 6),
        ] as [(String, String, Int?)])
    func templatesFitTheURIsMadeFromThem(_ template: String, _ uri: String, _ weight: Int?) {
        #expect(URITemplate(template).match(uri) == weight)
    }

    @Test(
        arguments: [("mcp-server://a/x://y", "a", "x://y"), ("mcp-server://a/", nil, nil), ("x://y", nil, nil)]
            as [(String, String?, String?)])
    func addressesGoBothWays(_ text: String, _ server: String?, _ uri: String?) {
        let parsed = ResourceAddress.parse(text)
        #expect(parsed?.server == server && parsed?.uri == uri)
        if let parsed { #expect(ResourceAddress.make(parsed.server, parsed.uri) == text) }
    }

    @Test func namesOfTheGatewayItselfAreTaken() {
        let items = [ListItem(.tools, raw(#"{"name":"mcp-find"}"#))].compactMap { $0 }
        let surface = Surface([.init(server: "a", listing: .init(items: [.tools: items]))])
        #expect(surface.tools.map(\.name) == ["a__mcp-find"])
    }

    @Test func anAppsResourceIsFoundUnderItsOtherURI() throws {
        func source(_ name: String) -> Surface.Source {
            let tool = ListItem(.tools, raw(#"{"name":"t\#(name)","_meta":{"ui":{"resourceUri":"ui://x","v":1.0}}}"#))
            let resource = ListItem(.resources, raw(#"{"uri":"ui://x"}"#))
            let items: [ListKind: [ListItem]] = [
                .tools: [tool].compactMap { $0 }, .resources: [resource].compactMap { $0 },
            ]
            return .init(server: name, listing: .init(items: items))
        }
        let surface = Surface([source("a"), source("b")])
        #expect(
            surface.tools.map(\.definition.text)
                == ["a", "b"].map {
                    #"{"name":"t\#($0)","_meta":{"ui":{"resourceUri":"mcp-server://\#($0)/ui://x","v":1.0}}}"#
                })
        #expect(surface.place(ofURI: "mcp-server://b/ui://x") == .init(server: "b", name: "ui://x"))
    }
}
