import Core
import NIOCore
import Testing

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
            (["x=5"], #"{"x":"5"}"#), (["x:=5"], #"{"x":5}"#), (["x"], #"{"x":null}"#), (["s=a=b"], #"{"s":"a=b"}"#),
            (["x=a", "x=b"], #"{"x":["a","b"]}"#),
        ] as [([String], String)])
    func areTypedByTheSchema(_ words: [String], _ expected: String) throws {
        #expect(JSON.object(try ToolArguments(words, schema: Self.schema).object).text == expected)
    }

    @Test(arguments: [["n=x"], ["n=1.5"], ["b=yes"], ["o=[1]"], ["x:=nope"], ["n="]])
    func whatDoesNotFitIsRefused(_ words: [String]) {
        #expect(throws: Failure.self) { try ToolArguments(words, schema: Self.schema) }
    }

    @Test(
        arguments: [("512m", 512 << 20), ("2Gb", 2 << 30), ("1024", 1024), ("1.5k", 1536), ("3b", 3)]
            as [(String, Int64)])
    func amountsOfMemory(_ text: String, _ bytes: Int64) throws { #expect(try GatewayOptions.bytes(text) == bytes) }

    @Test(arguments: ["", "x", "-1g", "5x", "1e30", "0"]) func noAmountsOfMemory(_ text: String) {
        #expect(throws: Failure.self) { try GatewayOptions.bytes(text) }
    }
}
