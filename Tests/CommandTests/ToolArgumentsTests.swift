import ArgumentParser
import Core
import Gateway
import MCP
import NIOCore
import Testing
import Toolkit

@testable import MCPCommands

@Suite struct ToolArgumentsTests {
    private static let schema: JSON = [
        "properties": [
            "s": ["type": "string"], "n": ["type": "integer"], "f": ["type": "number"], "b": ["type": "boolean"],
            "l": ["type": "array", "items": ["type": "integer"]], "o": ["type": "object"],
            "m": ["type": ["integer", "null"]],
        ]
    ]

    @Test(
        arguments: [
            ([], "{}"), (["s=5"], #"{"s":"5"}"#), (["n=5"], #"{"n":5}"#), (["f=1.50"], #"{"f":1.50}"#),
            (["b=true"], #"{"b":true}"#), (["l=1", "l=2"], #"{"l":[1,2]}"#), (["l=1"], #"{"l":[1]}"#),
            (["l=[3,4]"], #"{"l":[3,4]}"#), (["o={\"a\":1}"], #"{"o":{"a":1}}"#), (["m=null"], #"{"m":null}"#),
            (["x=5"], #"{"x":"5"}"#), (["x:=5"], #"{"x":5}"#), (["x:=null"], #"{"x":null}"#),
            (["s=a=b"], #"{"s":"a=b"}"#),
            (["x=a", "x=b"], #"{"x":["a","b"]}"#), ([#" {"a":1,"l":[2]}"#], #"{"a":1,"l":[2]}"#), (["{}"], "{}"),
        ] as [([String], String)])
    func areTypedByTheSchema(_ words: [String], _ expected: String) throws {
        #expect(JSON.object(try ToolArguments(words, schema: Self.schema).object).text == expected)
    }

    @Test(arguments: [
        ["n=x"], ["n=1.5"], ["b=yes"], ["o=[1]"], ["x:=nope"], ["n="], ["{"], [#"{"a":}"#], ["x"], ["=1"], [""],
        [#"{"a":1}"#, "b"], [#"{"a":1}"#, "s=1"],
    ])
    func whatDoesNotFitIsRefused(_ words: [String]) {
        #expect(throws: Failure.self) { try ToolArguments(words, schema: Self.schema) }
    }

    @Test func aWordWithoutAValueIsSaidToBeNone() {
        let failure = #expect(throws: Failure.self) { try ToolArguments(["s=1", "b"], schema: Self.schema) }
        #expect(failure?.message == "'b' is no NAME=VALUE")
        #expect(failure?.advice == "Write b=VALUE, or NAME:=JSON.")
    }

    @Test(arguments: [(0, "0 tools"), (1, "1 tool"), (2, "2 tools")])
    func toolsAreCounted(_ number: Int, _ text: String) { #expect(ToolSummary.count(number) == text) }

    @Test(arguments: [
        ([], ""), (["--servers", "a,b"], " --servers a,b"),
        (["--catalog", "my cat.yaml", "--enable-all-servers"], " --catalog 'my cat.yaml' --enable-all-servers"),
    ])
    func adviceRepeatsWhichServersWereMeant(_ arguments: [String], _ choice: String) throws {
        #expect(try GatewayOptions.parse(arguments).choice == choice)
    }

    @Test(
        arguments: [([], 1), (["--cpus", "0.5"], 0.5), (["--cpus=2"], 2), (["--cpus", "0"], nil)]
            as [([String], Double?)])
    func processorsMayBeShared(_ arguments: [String], _ cpus: Double?) throws {
        let paths = Paths(environment: ["HOME": "/nowhere"])
        #expect(try GatewayOptions.parse(arguments).settings(paths).cpus == cpus)
    }

    @Test(arguments: [["--cpus", "-1"], ["--cpus", "nan"], ["--cpus", "inf"], ["--cpus", "many"], ["--cpus=-0.5"]])
    func numbersOfProcessorsThatAreNone(_ arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try GatewayOptions.parse(arguments) }
        #expect(error.map { GatewayOptions.message(for: $0) }?.contains("--cpus") == true)
    }

    @Test(arguments: [(["--port", "1"], "--port"), (["--host", "127.0.0.1"], "--host")])
    func stdioListensNowhere(_ arguments: [String], _ flag: String) throws {
        let options = try ListenOptions.parse(arguments)
        let failure = #expect(throws: Failure.self) { try options.choice }
        #expect(failure?.message == "cannot use \(flag) with --transport=stdio")
        #expect(try ListenOptions.parse(["--transport", "sse"]).host == "127.0.0.1")
    }

    @Test func theStartIsToldOnceWhenAllHaveSettled() {
        let startup = Startup(["a", "b", "c"])
        #expect(!startup.settles("a", isReady: true))
        #expect(!startup.settles("a", isReady: true))
        #expect(!startup.settles("b", isReady: false))
        #expect(startup.settles("c", isReady: false))
        #expect(!startup.settles("b", isReady: true))
        let hopeless = Startup(["a"])
        #expect(!hopeless.settles("a", isReady: false))
        #expect(Startup.text(.milliseconds(2638)) == "> Initialized in 2.64 seconds")
    }

    @Test func patternsThatFitNothingAreNamed() throws {
        let catalog = try Catalog(
            parsing: ByteBuffer(string: "registry:\n  a:\n    image: i\n  b:\n    image: j\n"), source: "t")
        let tool = Tool(name: "add", description: "", inputSchema: [:])
        let items = [ListItem(.tools, tool.definition)].compactMap { $0 }
        let surface = Surface([.init(server: "a", listing: .init(items: [.tools: items]))])
        let options = try GatewayOptions.parse(["--tools", "add,nosuch,a:*", "--tools", "b:*,*,a:ADD,b:add"])
        #expect(options.unusedPatterns(surface, catalog.servers) == ["nosuch", "b:*", "b:add"])
    }

    @Test(
        arguments: [("512m", 512 << 20), ("2Gb", 2 << 30), ("1024", 1024), ("1.5k", 1536), ("3b", 3)]
            as [(String, Int64)])
    func amountsOfMemory(_ text: String, _ bytes: Int64) throws { #expect(try GatewayOptions.bytes(text) == bytes) }

    @Test(arguments: ["", "x", "-1g", "5x", "1e30", "0"]) func noAmountsOfMemory(_ text: String) {
        #expect(throws: Failure.self) { try GatewayOptions.bytes(text) }
    }
}
