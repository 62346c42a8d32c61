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
        let surface = Surface(servers.map { (name: $0.0, tools: $0.1.map { tool($0) }) })
        #expect(surface.tools.map(\.name) == names)
    }

    @Test func everyNameLeadsBackToItsServersOwn() {
        let surface = Surface([("a", [tool("x"), tool("weird name")]), ("b", [tool("x")])])
        #expect(surface.route("a__x") == .init(server: "a", tool: "x"))
        #expect(surface.route("b__x") == .init(server: "b", tool: "x"))
        #expect(surface.route("weird_name") == .init(server: "a", tool: "weird name"))
        #expect(surface.route("x") == nil)
    }

    @Test func longNamesAreCutAndStayDifferent() {
        let long = String(repeating: "n", count: 100)
        let surface = Surface([("a", [tool(long + "1"), tool(long + "2"), tool(long + "3")])])
        #expect(Set(surface.tools.map(\.name)).count == 3)
        #expect(surface.tools.allSatisfy { $0.name.count <= Surface.maximumName })
        #expect(surface.tools.compactMap { surface.route($0.name)?.tool }.count == 3)
    }

    /// What a server wrote about its tool goes on byte for byte.
    @Test func aDefinitionIsPassedOnUntouched() throws {
        let text = #"{"name":"x","inputSchema":{"type":"object","maximum":1.0},"_meta":{"k":"\u00e9"}}"#
        let definition = try RawJSON(checking: ByteBuffer(string: text))
        let alone = Surface([("a", [try Tool(definition)])])
        #expect(alone.tools.first?.definition.text == text)
        let clashing = Surface([("a", [try Tool(definition)]), ("b", [try Tool(definition)])])
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
}
