import Core
import MCP
import NIOCore
import Testing

@testable import Gateway

@Suite struct SurfaceTests {
    private func tool(_ name: String) -> Tool {
        Tool(name: name, description: "d", inputSchema: ["type": "object"])
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
        let surface = Surface(servers.map { Surface.Source(server: $0.0, tools: $0.1.map { tool($0) }) })
        #expect(surface.tools.map(\.name) == names)
    }

    @Test func everyNameLeadsBackToItsServersOwn() {
        let surface = Surface([
            .init(server: "a", tools: [tool("x"), tool("weird name")]), .init(server: "b", tools: [tool("x")]),
        ])
        #expect(surface.route("a__x") == .init(server: "a", tool: "x"))
        #expect(surface.route("b__x") == .init(server: "b", tool: "x"))
        #expect(surface.route("weird_name") == .init(server: "a", tool: "weird name"))
        #expect(surface.route("x") == nil)
    }

    @Test func longNamesAreCutAndStayDifferent() {
        let long = String(repeating: "n", count: 100)
        let surface = Surface([.init(server: "a", tools: [tool(long + "1"), tool(long + "2"), tool(long + "3")])])
        #expect(Set(surface.tools.map(\.name)).count == 3)
        #expect(surface.tools.allSatisfy { $0.name.count <= Surface.maximumName })
        #expect(surface.tools.compactMap { surface.route($0.name)?.tool }.count == 3)
    }

    /// What a server wrote about its tool goes on byte for byte.
    @Test func aDefinitionIsPassedOnUntouched() throws {
        let text = #"{"name":"x","inputSchema":{"type":"object","maximum":1.0},"_meta":{"k":"\u00e9"}}"#
        let definition = try RawJSON(checking: ByteBuffer(string: text))
        let alone = Surface([.init(server: "a", tools: [try Tool(definition)])])
        #expect(alone.tools.first?.definition.text == text)
        let clashing = Surface([
            .init(server: "a", tools: [try Tool(definition)]), .init(server: "b", tools: [try Tool(definition)]),
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
        let first = Surface([.init(server: "a", tools: [tool("x")])])
        let both = Surface(
            [.init(server: "a", tools: [tool("x"), tool("y")]), .init(server: "b", tools: [tool("x"), tool("y")])],
            keeping: first)
        #expect(both.tools.map(\.name) == ["x", "a__y", "b__x", "b__y"])
        #expect(both.route("x") == .init(server: "a", tool: "x"))
    }

    @Test func aCatalogMayWantAPrefix() {
        let surface = Surface([
            .init(server: "a", prefix: "p", tools: [tool("x")]), .init(server: "b", tools: [tool("x")]),
        ])
        #expect(surface.tools.map(\.name) == ["p__x", "x"])
        #expect(surface.route("p__x") == .init(server: "a", tool: "x"))
    }

    @Test func aToolThatIsListedTwiceIsOne() {
        #expect(Surface([.init(server: "a", tools: [tool("x"), tool("x")])]).tools.map(\.name) == ["x"])
    }

    /// Names that come out the same by the thousand must neither take for ever nor run out of numbers.
    @Test(.timeLimit(.minutes(1)), arguments: ["n", String(repeating: "n", count: 100)])
    func aServerCannotHoldUpTheListWithItsNames(_ stem: String) {
        let signs = (0..<3000).map { String(UnicodeScalar(0x4E00 + UInt32($0)) ?? "x") }
        let hostile = Surface.Source(server: "a", tools: signs.map { tool(stem + $0) })
        let surface = Surface([hostile, .init(server: "b", tools: [tool("fine")])])
        #expect(Set(surface.tools.map(\.name)).count == 3001)
        #expect(surface.tools.allSatisfy { $0.name.count <= Surface.maximumName })
        #expect(surface.route("fine") == .init(server: "b", tool: "fine"))
    }
}
