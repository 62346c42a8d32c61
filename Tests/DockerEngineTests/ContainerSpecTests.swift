internal import Core
internal import Testing

@testable internal import DockerEngine

@Suite struct ContainerSpecTests {
    @Test func describesALockedDownContainer() throws {
        var spec = ContainerSpec(image: "wharf/demo-tools:latest")
        spec.command = ["--root", "/files"]
        spec.environment = [("A", "1"), ("B", "x=y")]
        spec.labels = ["docker-mcp": "true", "a": "b"]
        spec.cpus = 1.5
        spec.memory = 2 << 30
        spec.pidsLimit = 64
        spec.networkMode = "none"
        spec.readOnlyRoot = true
        spec.tmpfs = ["/tmp": "size=1m,noexec"]
        spec.capDrop = ["ALL"]
        spec.securityOpt = ["no-new-privileges"]
        spec.useInit = true
        spec.user = "1000:1000"
        spec.autoRemove = true
        spec.openStdin = true
        spec.stdinOnce = true
        let json = spec.json
        #expect(json["Image"] == "wharf/demo-tools:latest")
        #expect(json["Cmd"] == ["--root", "/files"])
        #expect(json["Env"] == ["A=1", "B=x=y"])
        #expect(json["Labels"] == ["a": "b", "docker-mcp": "true"])
        #expect(json["User"] == "1000:1000")
        for flag in ["AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce", "NetworkDisabled"] {
            #expect(json[flag] == true, "\(flag)")
        }
        #expect(json["Tty"] == false)
        let host = try #require(json["HostConfig"])
        #expect(host["NanoCpus"]?.int == 1_500_000_000)
        #expect(host["Memory"]?.int == 2 << 30)
        // Equal to the memory: no swap.
        #expect(host["MemorySwap"] == host["Memory"])
        #expect(host["PidsLimit"]?.int == 64)
        #expect(host["NetworkMode"] == "none")
        #expect(host["Tmpfs"] == ["/tmp": "size=1m,noexec"])
        #expect(host["CapDrop"] == ["ALL"])
        #expect(host["SecurityOpt"] == ["no-new-privileges"])
        for flag in ["AutoRemove", "Init", "ReadonlyRootfs"] { #expect(host[flag] == true, "\(flag)") }
    }

    @Test(arguments: [
        "Cmd", "User", "NetworkDisabled", "HostConfig.NanoCpus", "HostConfig.Memory", "HostConfig.MemorySwap",
        "HostConfig.PidsLimit", "HostConfig.NetworkMode", "HostConfig.Tmpfs", "HostConfig.Binds",
    ])
    func leavesOutWhatNobodyAskedFor(path: String) {
        let value = path.split(separator: ".").reduce(JSON?.some(ContainerSpec(image: "x").json)) { $0?[String($1)] }
        #expect(value == nil)
    }
}
