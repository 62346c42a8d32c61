internal import Core
internal import Crypto
internal import NIOCore
internal import SystemPackage
internal import Testing

@testable internal import DockerEngine

@Suite struct EndpointTests {
    @Test(arguments: [
        ("unix:///var/run/docker.sock", EngineEndpoint.unix("/var/run/docker.sock")),
        ("tcp://127.0.0.1:2375", .tcp(host: "127.0.0.1", port: 2375)),
        ("tcp://[::1]:2375", .tcp(host: "::1", port: 2375)),
        ("tcp://build.example:99/", .tcp(host: "build.example", port: 99)),
        ("tcp://build.example", .tcp(host: "build.example", port: 2375)),
    ])
    func readsDockersNotation(text: String, expected: EngineEndpoint) throws {
        let endpoint = try EngineEndpoint(parsing: text)
        #expect(endpoint == expected)
        #expect(try EngineEndpoint(parsing: endpoint.description) == endpoint)
    }

    @Test(arguments: [
        ("", Failure.Code.invalidArgument), ("docker.sock", .invalidArgument), ("unix://", .invalidArgument),
        ("unix://relative", .invalidArgument), ("unix:///" + String(repeating: "x", count: 200), .invalidArgument),
        ("tcp://:2375", .invalidArgument), ("tcp://host:70000", .invalidArgument), ("tcp://", .invalidArgument),
        ("ssh://user@host", .unsupported), ("npipe:////./pipe/docker_engine", .unsupported),
        ("fd://", .unsupported),
    ])
    func refusesWhatItCannotReach(text: String, code: Failure.Code) {
        let failure = #expect(throws: Failure.self) { try EngineEndpoint(parsing: text) }
        #expect(failure?.code == code)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var environment: [String: String] = [:]
        var host: String?
        var context: String?
        var current: String?
        let expected: String
        var testDescription: String { "\(environment) -H \(host ?? "") -c \(context ?? "") \(current ?? "")" }
    }

    @Test(arguments: [
        Case(host: "tcp://h:1", context: "remote", expected: "tcp://h:1"),
        Case(environment: ["DOCKER_HOST": "tcp://e:2"], host: "tcp://h:1", expected: "tcp://h:1"),
        Case(environment: ["DOCKER_HOST": "tcp://e:2"], context: "remote", expected: "tcp://r:3"),
        Case(environment: ["DOCKER_HOST": "tcp://e:2"], context: "default", expected: "tcp://e:2"),
        Case(environment: ["DOCKER_HOST": "tcp://e:2", "DOCKER_CONTEXT": "remote"], expected: "tcp://e:2"),
        Case(environment: ["DOCKER_HOST": "  "], current: "remote", expected: "tcp://r:3"),
        Case(environment: ["DOCKER_CONTEXT": "remote"], current: "default", expected: "tcp://r:3"),
        Case(environment: ["DOCKER_CONTEXT": "default"], current: "remote", expected: "unix:///var/run/docker.sock"),
        Case(current: "remote", expected: "tcp://r:3"),
        Case(current: "default", expected: "unix:///var/run/docker.sock"),
        Case(expected: "unix:///var/run/docker.sock"),
    ])
    func choosesAsDockerDoes(_ entry: Case) throws {
        try withConfiguration(current: entry.current, hosts: ["remote": "tcp://r:3"]) { paths in
            let environment = paths.environment.merging(entry.environment) { $1 }
            let endpoint = try EngineEndpoint.resolve(
                paths: Paths(environment: environment), host: entry.host, context: entry.context)
            #expect(endpoint.description == entry.expected)
        }
    }

    @Test func namesAContextThatIsMissing() throws {
        try withConfiguration(current: nil, hosts: [:]) { paths in
            let failure = #expect(throws: Failure.self) { try EngineEndpoint.resolve(paths: paths, context: "../x") }
            #expect(failure?.code == .notFound)
            #expect(failure?.message.contains("../x") == true)
        }
    }

    @Test(arguments: [["DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": "tcp://h:2376"]])
    func refusesTLSRatherThanSpeakingPlainly(environment: [String: String]) throws {
        let failure = #expect(throws: Failure.self) {
            try EngineEndpoint.resolve(paths: Paths(environment: environment))
        }
        #expect(failure?.code == .unsupported)
    }

    /// A configuration folder with contexts, as `docker context create` lays it out.
    private func withConfiguration(current: String?, hosts: [String: String], _ body: (Paths) throws -> Void) throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-endpoint-")
        defer { try? Files.remove(folder) }
        if let current {
            let config: JSON = ["currentContext": .string(current)]
            try Files.write(config.bytes, to: folder.appending("config.json"))
        }
        for (name, host) in hosts {
            let hash = SHA256.hash(data: Array(name.utf8))
            let hex = hash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            let place = folder.appending("contexts").appending("meta").appending(hex)
            try Files.makeDirectory(place)
            let meta: JSON = ["Name": .string(name), "Endpoints": ["docker": ["Host": .string(host)]]]
            try Files.write(meta.bytes, to: place.appending("meta.json"))
        }
        try body(Paths(environment: ["DOCKER_CONFIG": folder.string, "HOME": folder.string]))
    }

    @Test func whatShouldBeEncryptedIsNotSentInTheClear() throws {
        let paths = Paths(environment: [:])
        let failure = #expect(throws: Failure.self) {
            try EngineEndpoint.resolve(paths: paths, host: "tcp://h:1", wantsTLS: true)
        }
        #expect(failure?.code == .unsupported)
        #expect(try EngineEndpoint.resolve(paths: paths, host: "unix:///s", wantsTLS: true) == .unix("/s"))
    }
}
