import Core
import DockerEngine
import Gateway
import NIOCore
import Testing
import Toolkit

@Suite struct ContainerLaunchTests {
    private func launch(_ entry: String, grants: Grants = Grants()) throws -> ContainerLaunch {
        let catalog = try Catalog(
            parsing: ByteBuffer(string: "registry:\n  s:\n    image: some/image:1\n\(entry)"), source: "test")
        var settings = GatewaySettings()
        settings.grants = grants
        return ContainerLaunch(server: try catalog.server(named: "s"), settings: settings, owner: "o")
    }

    @Test func theDefaultsTakeEverythingAway() throws {
        let json = try launch("").spec().json
        #expect(
            json["HostConfig"]?.text
                == #"{"AutoRemove":true,"Init":true,"ReadonlyRootfs":true,"CapDrop":["ALL"],"#
                + #""SecurityOpt":["no-new-privileges"],"LogConfig":{"Type":"none"},"NanoCpus":1000000000,"#
                + #""Memory":2147483648,"MemorySwap":2147483648,"PidsLimit":256,"NetworkMode":"none","#
                + #""Tmpfs":{"/tmp":"rw,noexec,nosuid,nodev,size=64m"}}"#)
        #expect(json["Image"] == "some/image:1")
        #expect(json["OpenStdin"] == true)
        #expect(json["StdinOnce"] == true)
        #expect(json["Cmd"] == nil)
        #expect(
            json["Labels"]?.text
                == #"{"dev.wharf.owner":"o","docker-mcp":"true","docker-mcp-name":"s","#
                + #""docker-mcp-tool-type":"mcp","docker-mcp-transport":"stdio"}"#)
    }

    /// A catalog is a stranger's text: what it asks for beyond the strict defaults is not given.
    @Test(arguments: [
        "    allowHosts: [\"example.org:443\"]\n", "    disableNetwork: false\n",
        "    privileged: true\n", "    extraHosts: [\"a:1.2.3.4\"]\n",
    ])
    func aCatalogCannotGrantAnything(_ entry: String) throws {
        #expect(try launch(entry).spec().json == launch("").spec().json)
    }

    /// Nor does it start without what it cannot do without: the user would wonder why it fails.
    @Test func filesThatAreNotGrantedStopAServer() throws {
        let failure = #expect(throws: Failure.self) { try launch("    volumes: [\"/srv:/srv\"]\n").spec() }
        #expect(failure?.code == .forbidden || failure?.code == .notFound)
    }

    @Test func theUserGrantsANetworkAndVolumes() throws {
        var grants = Grants()
        try grants.allowNetwork("s=mine")
        try grants.allowFiles("s=notes:rw")
        try grants.allowNetwork("other")
        let launch = try launch("    volumes: ['notes:/data']\n", grants: grants)
        let host = try launch.spec().json["HostConfig"]
        #expect(host?["NetworkMode"] == "mine")
        #expect(host?["Mounts"]?.text == #"[{"Type":"volume","Source":"notes","Target":"/data","ReadOnly":false}]"#)
        #expect(try launch.spec().json["NetworkDisabled"] == nil)
        #expect(
            try launch.limits(launch.spec())
                == "1 CPU, 2GiB without swap, network mine, writes notes, no host files, read-only root, "
                + "no capabilities, at most 256 processes")
    }

    @Test func commandEnvironmentAndUserAreTheCatalogs() throws {
        let json = try launch(
            "    command: [--verbose, x]\n    env: [{name: A, value: b}, {name: B, value: '{{x}}'}]\n    user: '1000'\n"
        ).spec().json
        #expect(json["Cmd"] == ["--verbose", "x"])
        #expect(json["Env"] == ["A=b"])
        #expect(json["User"] == "1000")
    }

    @Test func aServerThatIsNoContainerIsRefused() throws {
        let catalog = try Catalog(
            parsing: ByteBuffer(string: "registry:\n  r:\n    remote: {url: 'https://example.org'}\n"), source: "test")
        let remote = #expect(throws: Failure.self) {
            try ContainerLaunch(server: catalog.server(named: "r"), owner: "o").spec()
        }
        #expect(remote?.code == .unsupported)
    }

    @Test func namesOfContainersDiffer() throws {
        let launch = try launch("")
        #expect(launch.containerName != launch.containerName)
        #expect(launch.containerName.hasPrefix("docker-mcp-s-"))
    }
}
