import Core
import MCP
import NIOCore
import Testing

@testable import Gateway

@Suite struct SurfaceTests {
    private func tool(_ name: String) -> Tool {
        Tool(name: name, description: "d", inputSchema: ["type": "object"])
    }

    private func source(_ server: String, prefix: String? = nil, tools: [Tool]) -> Surface.Source {
        let items = tools.compactMap { ListItem(.tools, $0.definition) }
        return .init(server: server, prefix: prefix, listing: .init(items: [.tools: items]))
    }

    @Test(
        arguments: [
            ([("a", ["x", "y"]), ("b", ["z"])], ["x", "y", "z"]),
            ([("a", ["x"]), ("b", ["x", "y"])], ["a__x", "b__x", "y"]),
            ([("a", ["read.file", "töol"])], ["read_file", "t_ol"]),
            ([("a", ["x.y", "x_y"])], ["a__x_y", "x_y_2"]),
            ([("a", [])], []),
        ] as [([(String, [String])], [String])])
    func namesAreUniqueAndAccepted(_ servers: [(String, [String])], _ names: [String]) {
        let surface = Surface(servers.map { source($0.0, tools: $0.1.map { tool($0) }) })
        #expect(surface.tools.map(\.name) == names)
    }

    @Test func everyNameLeadsBackToItsServersOwn() {
        let surface = Surface([
            source("a", tools: [tool("x"), tool("weird name")]), source("b", tools: [tool("x")]),
        ])
        #expect(surface.route("a__x") == .init(server: "a", name: "x"))
        #expect(surface.route("b__x") == .init(server: "b", name: "x"))
        #expect(surface.route("weird_name") == .init(server: "a", name: "weird name"))
        #expect(surface.route("x") == nil)
    }

    @Test func longNamesAreCutAndStayDifferent() {
        let long = String(repeating: "n", count: 100)
        let surface = Surface([source("a", tools: [tool(long + "1"), tool(long + "2"), tool(long + "3")])])
        #expect(Set(surface.tools.map(\.name)).count == 3)
        #expect(surface.tools.allSatisfy { $0.name.count <= Surface.maximumName })
        #expect(surface.tools.compactMap { surface.route($0.name)?.tool }.count == 3)
    }

    /// What a server wrote about its tool goes on byte for byte.
    @Test func aDefinitionIsPassedOnUntouched() throws {
        let text = #"{"name":"x","inputSchema":{"type":"object","maximum":1.0},"_meta":{"k":"\u00e9"}}"#
        let definition = try RawJSON(checking: ByteBuffer(string: text))
        let alone = Surface([source("a", tools: [try Tool(definition)])])
        #expect(alone.tools.first?.definition.text == text)
        let clashing = Surface([
            source("a", tools: [try Tool(definition)]), source("b", tools: [try Tool(definition)]),
        ])
        #expect(
            clashing.tools.first?.definition.text == text.replacing(#""name":"x""#, with: #""name":"a__x""#))
    }

    @Test(arguments: [
        "{}", #"{"name":5}"#, #"{"name":""}"#, "[]", #"{"name":"\#(String(repeating: "x", count: 300))"}"#,
    ])
    func aToolWithoutAUsableNameIsRefused(_ text: String) throws {
        let definition = try RawJSON(checking: ByteBuffer(string: text))
        #expect(throws: Failure.self) { try Tool(definition) }
    }

    @Test func whatClientsHaveSeenKeepsItsName() {
        let first = Surface([source("a", tools: [tool("x")])])
        let both = Surface(
            [source("a", tools: [tool("x"), tool("y")]), source("b", tools: [tool("x"), tool("y")])],
            keeping: first)
        #expect(both.tools.map(\.name) == ["x", "a__y", "b__x", "b__y"])
        #expect(both.route("x") == .init(server: "a", name: "x"))
    }

    @Test func aCatalogMayWantAPrefix() {
        let surface = Surface([
            source("a", prefix: "p", tools: [tool("x")]), source("b", tools: [tool("x")]),
        ])
        #expect(surface.tools.map(\.name) == ["p__x", "x"])
        #expect(surface.route("p__x") == .init(server: "a", name: "x"))
    }

    @Test func aToolThatIsListedTwiceIsOne() {
        #expect(Surface([source("a", tools: [tool("x"), tool("x")])]).tools.map(\.name) == ["x"])
    }

    /// Names that come out the same by the thousand must neither take for ever nor run out of numbers.
    @Test(.timeLimit(.minutes(5)), arguments: ["n", String(repeating: "n", count: 100)])
    func aServerCannotHoldUpTheListWithItsNames(_ stem: String) {
        let signs = (0..<3000).map { String(UnicodeScalar(0x4E00 + UInt32($0)) ?? "x") }
        let hostile = source("a", tools: signs.map { tool(stem + $0) })
        let surface = Surface([hostile, source("b", tools: [tool("fine")])])
        #expect(Set(surface.tools.map(\.name)).count == 3001)
        #expect(surface.tools.allSatisfy { $0.name.count <= Surface.maximumName })
        #expect(surface.route("fine") == .init(server: "b", name: "fine"))
    }
}
