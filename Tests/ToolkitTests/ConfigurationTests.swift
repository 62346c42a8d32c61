import Core
import NIOCore
import SystemPackage
import Testing
import Toolkit

@Suite struct ConfigurationTests {
    private static let values: JSON = [
        "s": ["path": "/a", "paths": ["/a", "/b"], "n": 5, "deep": ["x": "y"], "none": nil, "flag": true]
    ]

    @Test(arguments: [
        ("plain", #""plain""#), ("{{s.path}}", #""/a""#), ("{{ s.paths }}", #"["/a","/b"]"#), ("{{s.n}}", "5"),
        ("{{s.deep.x}}", #""y""#), ("{{s.none}}", #""""#), ("{{t.path}}", #""""#), ("{{s.flag}}", "true"),
        ("a {{s.path}} b {{s.n}}", #""a /a b 5""#), ("x{{s.paths}}", #""x/a /b""#),
        ("{{s.path|volume}}", #""/a:/a""#), ("{{s.paths|volume|into}}", #"["/a:/a","/b:/b"]"#),
        ("{{s.path|into}}", #"["/a"]"#), ("{{s.gone|into}}", "[]"), ("{{s.paths|first}}", #""/a""#),
        ("{{s.paths|last}}", #""/b""#), ("{{s.gone|or:dflt}}", #""dflt""#), ("{{s.gone|or:[a, b]}}", #"["a","b"]"#),
        ("{{s.path|mount_as:/x:ro}}", #""/a:/x:ro""#), ("{{s.gone|mount_as:/x}}", #""""#), ("{{s.n|nonsense}}", "5"),
        ("{{", #""{{""#), ("{{}}", #""""#), ("}}{{", #""}}{{""#),
    ])
    func templates(_ text: String, _ expected: String) {
        #expect(Template(text).evaluated(in: Self.values).text == expected)
    }

    @Test func secretsAreLines() throws {
        let file = try SecretsFile(
            parsing: ByteBuffer(string: "# note\na.b=x=y\r\n\nc= spaced \nd=\n"), source: "f")
        #expect(file.values == ["a.b": "x=y", "c": " spaced ", "d": ""])
    }

    @Test(arguments: ["novalue", "=x", "a=b\nsecretvalue"]) func aBadLineIsNamedByItsNumberOnly(_ text: String) {
        let failure = #expect(throws: Failure.self) {
            try SecretsFile(parsing: ByteBuffer(string: text), source: "f")
        }
        #expect(failure?.message.hasPrefix("invalid line in secrets file: f, line ") == true)
        #expect(failure?.description.contains("secretvalue") == false)
    }

    @Test(
        arguments: [
            ([], [:], true), (["*"], [:], true), (["READ"], [:], true), (["srv:read"], [:], true),
            (["srv:*"], [:], true),
            (["some/image:1:read"], [:], true), (["other:*"], [:], false), (["write"], [:], false),
            ([], ["srv": ["read"]], true), ([], ["srv": []], false), ([], ["other": []], true),
            (["read"], ["srv": []], true),
        ] as [([String], [String: [String]], Bool)])
    func filters(_ patterns: [String], _ lists: [String: [String]], _ isAllowed: Bool) throws {
        let catalog = try Catalog(parsing: ByteBuffer(string: "registry: {srv: {image: 'some/image:1'}}"), source: "t")
        let server = try catalog.server(named: "srv")
        #expect(ToolFilter(patterns: patterns, lists: lists).allows("read", of: server) == isAllowed)
    }

    @Test func filesAreRead() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-test-")
        defer { try? Files.remove(folder) }
        func file(_ text: String) throws -> FilePath {
            let path = folder.appending(Files.unique())
            try Files.write(ByteBuffer(string: text), to: path)
            return path
        }
        #expect(try ConfigurationFiles.enabledServers(file("registry:\n  b: {ref: \"\"}\n  a:\n")) == ["b", "a"])
        #expect(try ConfigurationFiles.enabledServers(file("")).isEmpty)
        #expect(try ConfigurationFiles.values(file("s:\n  k: [1, x]\n"))["s"]?.text == #"{"k":[1,"x"]}"#)
        #expect(try ConfigurationFiles.tools(file("s: [a, b]\nt: []\n")) == ["s": ["a", "b"], "t": []])
        for bad in ["[]", "s: 5", "s: [{}]"] {
            #expect(throws: Failure.self) { try ConfigurationFiles.tools(file(bad)) }
        }
        #expect(
            try SecretsFile.load(searchList: "docker-desktop:\(file("a=1\nb=2")):\(file("a=9\nc=3"))") == [
                "a": "1", "b": "2", "c": "3",
            ])
        #expect(throws: Failure.self) { try SecretsFile.load(searchList: "/none") }
    }
}
