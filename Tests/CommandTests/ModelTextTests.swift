import Core
import NIOCore
import SystemPackage
import Terminal
import Testing

@testable import ModelCommands

@Suite struct ModelTextTests {
    @Test(
        arguments: [
            (false, false, "5m0s", 60, "4 minutes from now"), (true, false, "5m0s", 60, "Loading..."),
            (false, false, "-1", 60, "Forever"), (false, false, "5m0s", 300, "Expiring"),
            (false, false, "5m0s", 9000, "Expiring"), (false, true, "5m0s", 9000, "5 minutes from now"),
            (false, false, "5m0s", 190, "About a minute from now"), (false, false, "5m0s", 299, "1 second from now"),
            (false, false, "1h30m0s", 0, "About an hour from now"), (false, false, "72h0m0s", 0, "3 days from now"),
            (false, false, "5m0s", -50, "5 minutes from now"), (false, false, "soon", 0, "Forever"),
        ] as [(Bool, Bool, String, Int64, String)]) func untilWhenAModelStays(
            _ loading: Bool, _ inUse: Bool, _ keepAlive: String, _ age: Int64, _ text: String
        )
    {
        let now = Timestamp(seconds: 1_800_000_000)
        let runner: JSON = [
            "model_name": "docker.io/ai/Pebble:latest", "backend_name": "llama.cpp", "mode": "completion",
            "loading": .bool(loading), "in_use": .bool(inUse), "keep_alive": .string(keepAlive),
            "last_used": .string(Timestamp(seconds: now.seconds - age).rfc3339),
        ]
        let lines = Processes.table([runner], now: now).text.split(separator: "\n")
        #expect(lines.first?.hasPrefix("MODEL NAME  BACKEND    MODE        UNTIL") == true)
        #expect(lines.last?.hasPrefix("pebble      llama.cpp  completion  \(text)") == true, "\(lines)")
    }

    @Test func unloadingSaysHowMany() {
        #expect(Unload.text(2, all: false) == "Unloaded 2 model(s).")
        #expect(Unload.text(0, all: true) == "No models are running.")
        #expect(Unload.text(0, all: false) == "No such model(s) running.")
    }

    @Test func diskUsageHasTwoRowsAtMost() {
        let both = DiskFree.table(["models_disk_usage": 1_234_567, "default_backend_disk_usage": 12])
        #expect(both.text == "TYPE              SIZE    \nModels            1.23MB  \nInference engine  12.00B  ")
        let one = DiskFree.table(["models_disk_usage": 0, "default_backend_disk_usage": 0])
        #expect(one.text == "TYPE    SIZE   \nModels  0.00B  ")
    }

    @Test(arguments: [
        ("x", "docker.io/ai/x", "latest"), ("localhost:5000/a/b:v1", "localhost:5000/a/b", "v1"),
    ]) func targetsAreTakenApart(_ target: String, _ repository: String, _ tag: String) throws {
        #expect(try Tag.parts(of: target) == (repository, tag))
    }

    @Test(arguments: ["", "a b", "UPPER/:x", "sha256:\(String(repeating: "a", count: 64))"])
    func whatIsNoNameIsNoTarget(_ target: String) {
        let error = #expect(throws: Failure.self) { try Tag.parts(of: target) }
        #expect(error?.message.hasPrefix("invalid tag: ") == true)
    }

    @Test func showNamesFactsInOrder() {
        let text = Show.text([
            "id": "sha256:ab", "tags": ["a", "b"], "created": 0,
            "config": ["format": "gguf", "context_size": 512, "gguf": ["z": "1", "a": "x\ny"]],
        ])
        #expect(
            text == """
                Model:       sha256:ab
                Tags:        a, b
                Created:     1970-01-01T00:00:00Z

                Format:        gguf
                Context Size:  512

                GGUF Metadata:
                  a: x y
                  z: 1
                """)
    }

    @Test func theLogIsMovedAsideWhenItIsLong() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "daemon-log-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("log")
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .append], permissions: [.ownerReadWrite])
        defer { try? file.close() }
        let log = DaemonLog(path, limit: 100, descriptors: [file])
        for number in 0..<32 { log.write("line \(number) of some length\n") }
        #expect(try POSIX.list(folder) == ["log", "log.1"])
        for name in ["log", "log.1"] { #expect(try POSIX.status(folder.appending(name)).size < 130) }
        #expect(DaemonLog.lastLine(of: path, after: 0) == "line 31 of some length")
        #expect(DaemonLog.lastLine(of: path, after: .max) == nil)
    }
}
