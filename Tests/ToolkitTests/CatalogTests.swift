internal import Core
internal import NIOCore
internal import SystemPackage
internal import Testing
internal import Toolkit

@Suite struct CatalogTests {
    static let full = """
        version: 3
        name: docker-mcp
        displayName: Docker MCP Catalog
        registry:
          zebra:
            type: server
            image: mcp/zebra:1.2@sha256:00ff
            title: Zebra
            description: |
              Stripes.
              Two lines.
            dateAdded: "2025-01-01T00:00:00Z"
            unknown: {deep: [1, 2, {x: y}]}
            command: [--transport, stdio, 8080]
            env:
              - name: LEVEL
                value: "{{zebra.level}}"
              - name: _PORT
                value: 8080
            secrets:
              - name: zebra.api-key
                env: ZEBRA_KEY
                example: <KEY>
            user: "1000:1000"
            longLived: true
          ant:
            image: ant
            command:
            env: null
          far:
            type: remote
            remote: {url: https://far.example/mcp, transport_type: streamable-http}
        """

    @Test func readsWhatIsKnownInItsOrder() throws {
        let catalog = try parse(Self.full)
        #expect(catalog.name == "docker-mcp")
        #expect(catalog.servers.map(\.name) == ["zebra", "ant", "far"])
        let zebra = try catalog.server(named: "zebra")
        #expect(zebra.image == "mcp/zebra:1.2@sha256:00ff")
        #expect(zebra.title == "Zebra")
        #expect(zebra.description == "Stripes.\nTwo lines.\n")
        #expect(zebra.command == ["--transport", "stdio", "8080"])
        #expect(zebra.environment.map(\.name) == ["LEVEL", "_PORT"])
        #expect(zebra.environment.map(\.value) == ["{{zebra.level}}", "8080"])
        #expect(zebra.secrets.map(\.name) == ["zebra.api-key"])
        #expect(zebra.secrets.map(\.environmentName) == ["ZEBRA_KEY"])
        #expect(zebra.user == "1000:1000")
        #expect(zebra.isLongLived)
        let ant = try catalog.server(named: "ant")
        #expect(ant.command == [] && ant.environment == [] && ant.secrets == [] && ant.user == nil && !ant.isLongLived)
        #expect(try catalog.server(named: "far").image == nil)
    }

    /// JSON is YAML: `catalog.json` is a catalog's usual file name.
    @Test func readsJSON() throws {
        #expect(try parse(#"{"name":"n","registry":{"a":{"image":"i"}}}"#).servers.map(\.image) == ["i"])
    }

    @Test(arguments: ["registry:", "registry: {}", "registry: ~"])
    func mayBeEmpty(yaml: String) throws {
        let catalog = try parse(yaml)
        #expect(catalog.servers == [])
        let failure = #expect(throws: Failure.self) { try catalog.server(named: "x") }
        #expect(failure?.code == .notFound)
    }

    @Test func namesTheServersThereAre() throws {
        let failure = #expect(throws: Failure.self) { try parse(Self.full).server(named: "Zebra") }
        #expect(failure?.code == .notFound)
        #expect(failure?.message == "MCP server not found: Zebra")
        #expect(failure?.advice?.contains("zebra, ant, far") == true)
    }

    @Test(arguments: [
        ("", "registry"), ("just words", "mapping"), ("- a\n- b", "mapping"), ("name: x", "registry"),
        ("servers: {a: {image: i}}", "registry"), ("registry: [a]", "registry"),
        ("registry: {a: 7}", "a is no mapping"),
        ("registry: {a: [}", "YAML"), ("registry: {}\n---\nregistry: {}", "YAML"), ("registry: {a: *b}", "YAML"),
        ("registry: {a: {image: i}, a: {image: j}}", "YAML"), ("\u{1}", "YAML"),
        ("registry: {\"a b\": {image: i}}", "name"), ("registry: {-a: {image: i}}", "name"),
        ("registry: {a/b: {image: i}}", "name"), ("registry: {é: {image: i}}", "name"),
        ("registry: {\"a\u{301}\": {image: i}}", "name"), ("registry: {\"a\\n\": {image: i}}", "name"),
        ("registry: {\"a\\0\": {image: i}}", "name"),
        ("registry: {\(String(repeating: "a", count: 129)): {image: i}}", "name"),
        ("registry: {? [a] : {image: i}}", "name"),
        ("registry: {a: {image: [i]}}", "image"), ("registry: {a: {image: --privileged}}", "image"),
        ("registry: {a: {image: \"i j\"}}", "image"), ("registry: {a: {image: \"i\\0\"}}", "image"),
        ("registry: {a: {image: a/../../containers/x}}", "image"), ("registry: {a: {image: a//b}}", "image"),
        ("registry: {a: {image: \(String(repeating: "a", count: 513))}}", "image"),
        ("registry: {a: {image: i, command: run}}", "command"),
        ("registry: {a: {image: i, command: [[x]]}}", "command"),
        ("registry: {a: {image: i, command: [\"a\\0b\"]}}", "command"),
        ("registry: {a: {image: i, env: {A: b}}}", "env"), ("registry: {a: {image: i, env: [A=b]}}", "env"),
        ("registry: {a: {image: i, env: [{name: A=B, value: x}]}}", "variable"),
        ("registry: {a: {image: i, env: [{name: 1A, value: x}]}}", "variable"),
        ("registry: {a: {image: i, env: [{name: \"\", value: x}]}}", "variable"),
        ("registry: {a: {image: i, env: [{name: A, value: \"x\\0\"}]}}", "env"),
        ("registry: {a: {image: i, secrets: [{name: s}]}}", "secrets"),
        ("registry: {a: {image: i, secrets: [{name: s, env: \"A B\"}]}}", "variable"),
        ("registry: {a: {image: i, title: \"\\e[2Jx\"}}", "title"),
        ("registry: {a: {image: i, description: \"\\e]0;x\\a\"}}", "description"),
        ("registry: {a: {image: i, user: \"0\\u009b\"}}", "user"),
    ])
    func saysWhatIsWrong(yaml: String, text: String) {
        let failure = #expect(throws: Failure.self) { try parse(yaml) }
        #expect(failure?.code == .invalidArgument)
        #expect(failure?.description.contains("a.yaml") == true)
        #expect(failure?.description.contains(text) == true, "\(failure?.description ?? "")")
        #expect(failure?.description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } == true)
    }

    @Test(arguments: ["i", "mcp/i", "i:1", "r.example:5000/a/b_c.d-e:V1", "mcp/i@sha256:00ff"])
    func acceptsImages(image: String) throws {
        #expect(try parse("registry: {a: {image: '\(image)'}}").servers.first?.image == image)
    }

    @Test func refusesBytesThatAreNoText() {
        let failure = #expect(throws: Failure.self) {
            try Catalog(
                parsing: ByteBuffer(bytes: Array("registry: {a: {title: ".utf8) + [0xff] + Array("}}".utf8)),
                source: "s")
        }
        #expect(failure?.code == .invalidArgument)
    }

    /// A few lines that stand for more nodes than there is memory, as values and as a key.
    @Test(arguments: ["registry: *l30", "registry: {}\nx: {? *l30 : y}"])
    func survivesAnAliasBomb(end: String) {
        let levels = (1...30).map { "l\($0): &l\($0) [*l\($0 - 1), *l\($0 - 1)]" }
        let failure = #expect(throws: Failure.self) {
            try parse((["l0: &l0 [x, x]"] + levels + [end]).joined(separator: "\n"))
        }
        #expect(failure?.code == .resourceExhausted)
    }

    @Test func followsAFewAliases() throws {
        let yaml = "x: &i mcp/one\nregistry: {a: {image: *i}, b: {image: *i}}"
        #expect(try parse(yaml).servers.map(\.image) == ["mcp/one", "mcp/one"])
    }

    @Test(arguments: [120, 900, 100_000])
    func survivesDeepNesting(depth: Int) {
        let yaml = "registry: {}\nx: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        #expect(throws: Failure.self) { try parse(yaml) }
    }

    @Test func loadsAFile() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-catalog-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("c.yaml")
        let missing = #expect(throws: Failure.self) { try Catalog.load(path: path) }
        #expect(missing?.code == .notFound)
        #expect(missing?.description.contains(path.string) == true)
        try Files.write(ByteBuffer(string: Self.full), to: path)
        #expect(try Catalog.load(path: path).servers.count == 3)
        try Files.write(ByteBuffer(repeating: UInt8(ascii: "#"), count: Catalog.maximumSize + 1), to: path)
        #expect(throws: Failure.self) { try Catalog.load(path: path) }
    }

    @Test func shipsWithTheDemonstration() throws {
        let server = try Catalog.builtin().server(named: "demo-tools")
        #expect(server.image == "wharf/demo-tools:latest")
        #expect(server.secrets.isEmpty && server.environment.isEmpty)
        #expect(server.title?.isEmpty == false)
    }

    @Test(arguments: [
        ("time", ["--local-timezone=UTC"]), ("git", ["--repository", "{{git.repository|or:/tmp/sample}}"]),
        ("fetch", []),
    ])
    func shipsWithTheReferenceServers(_ name: String, _ command: [String]) throws {
        let server = try Catalog.builtin().server(named: name)
        #expect(server.image == "wharf/mcp-server-\(name):latest")
        #expect(server.command == command)
        #expect(server.isLongLived == (name == "git"))
        #expect(server.secrets.isEmpty && server.environment.isEmpty && server.user == nil)
    }

    /// A user who picks one of these must learn beforehand what it needs, and how to allow it.
    @Test(arguments: [("git", "--allow-files git="), ("fetch", "--allow-network fetch")])
    func saysWhatMustBeGranted(_ name: String, _ flag: String) throws {
        #expect(try Catalog.builtin().server(named: name).description?.contains(flag) == true)
    }

    @Test func whatAServerAsksForIsReadAndNothingMore() throws {
        let servers = try parse(
            """
            registry:
              quiet: {image: i, disableNetwork: true, volumes: ["{{quiet.paths|volume|into}}", "/cache"], stateless: true}
              plain: {image: i}
            """
        ).servers
        #expect(servers[0].volumes == ["{{quiet.paths|volume|into}}", "/cache"])
        #expect(!servers[0].wantsNetwork && servers[0].isStateless)
        #expect(servers[1].volumes.isEmpty && servers[1].wantsNetwork && !servers[1].isStateless)
        #expect(throws: Failure.self) { try parse("registry: {s: {image: i, volumes: [{a: b}]}}") }
    }

    private func parse(_ yaml: String) throws -> Catalog {
        try Catalog(parsing: ByteBuffer(string: yaml), source: "a.yaml")
    }
}
