import Core
import Gateway
import NIOCore
import Testing
import Toolkit

@Suite struct LaunchValuesTests {
    private func values(_ entry: String, _ config: JSON.Object = .init(), secrets: [String: String] = [:]) throws
        -> LaunchValues
    {
        let catalog = try Catalog(parsing: ByteBuffer(string: "registry:\n  a.b:\n    image: i\n\(entry)"), source: "t")
        return LaunchValues(server: try catalog.server(named: "a.b"), values: config, secrets: secrets)
    }

    @Test func secretsAndValuesFindTheirPlaces() throws {
        let launch = try values(
            """
            secrets: [{name: t.token, env: TOKEN}]
            env:
              - {name: URL, value: "{{a_b.url}}"}
              - {name: BOTH, value: "x $TOKEN ${URL}/y $GONE"}
              - {name: UNSET, value: "{{a_b.none}}"}
            command: [--token, "${TOKEN}", "{{a_b.paths|into}}", "{{a_b.n}}"]
            """.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n") + "\n",
            .init([("a_b", ["url": "http://h", "paths": ["/x", "/y"], "n": 5])]), secrets: ["t.token": "s3cret"])
        #expect(launch.environment.map(\.name) == ["TOKEN", "URL", "BOTH"])
        #expect(launch.environment.map(\.value) == ["s3cret", "http://h", "x s3cret http://h/y "])
        #expect(launch.command == ["--token", "s3cret", "/x", "/y", "5"])
        #expect(launch.warnings == ["the server a.b gets the secret t.token"])
    }

    /// What is configured for one server is nobody else's to read.
    @Test func theValuesOfOtherServersAreNotThere() throws {
        let launch = try values(
            "    env: [{name: A, value: '{{github.token}}'}]\n    command: ['--tok={{github.token}}']\n",
            .init([("github", ["token": "theirs"]), ("a_b", ["x": 1])]))
        #expect(launch.environment.isEmpty)
        #expect(launch.command == ["--tok="])
    }

    /// Everybody on the machine reads command lines.
    @Test(arguments: ["[--token, $TOKEN]", "['--t=${TOKEN}']", "[$COPY]", "[\"a $COPY b\"]"])
    func aSecretDoesNotGoIntoAnArgument(command: String) throws {
        let catalog = try Catalog(
            parsing: ByteBuffer(
                string: """
                    registry:
                      s: {image: i, secrets: [{name: s.t, env: TOKEN}], env: [{name: COPY, value: 'x$TOKEN'}, {name: B, value: b}], command: \(command)}
                    """), source: "t")
        let server = try catalog.server(named: "s")
        var settings = GatewaySettings()
        settings.secrets = ["s.t": "s3cret"]
        let failure = #expect(throws: Failure.self) {
            try ContainerLaunch(server: server, settings: settings, owner: "o").spec()
        }
        #expect(failure?.code == .unsupported)
        #expect(failure?.description.contains("s3cret") == false)
    }

    @Test func aMissingSecretIsSaidByItsName() throws {
        let launch = try values("    secrets: [{name: t.token, env: TOKEN}]\n", secrets: ["other": "s3cret"])
        #expect(launch.environment.map(\.value) == ["<UNKNOWN>"])
        #expect(
            launch.warnings == [
                "the server a.b has no value for its secret t.token; write the line t.token=VALUE into a file and name "
                    + "that with --secrets FILE"
            ])
    }
}
