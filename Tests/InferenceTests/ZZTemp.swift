import AsyncHTTPClient
import Core
import Logging
import NIOHTTP1
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite struct ZZTemp {
    @Test func measure() async throws {
        let client = Scheduler.engineClient()
        for k in 0..<15 {
            let socket = FilePath("/tmp/wi/z\(k).sock")
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await Spawn.run(program: "/tmp/eng/bin/python", arguments: ["-I", "/work/main/Sources/Inference/Resources/llama_server.py", "-ngl", "999", "--metrics", "--model", "/work/main/Models/pebble/pebble-1m-q8_0.gguf", "--host", socket.string, "--jinja"], environment: ["PATH": "/usr/bin:/bin"], grace: .seconds(1), output: { _ in })
                }
                var history: [String] = []
                var pause = Duration.milliseconds(2)
                while true {
                    if Files.exists(socket) {
                        let a = ContinuousClock.now
                        var request = HTTPClientRequest(url: UnixURL.text(socket: socket, path: "/health"))
                        request.headers.add(name: "host", value: "localhost")
                        var what = ""
                        do {
                            let response = try await client.execute(request, timeout: .seconds(5))
                            _ = try? await response.body.collect(upTo: 64 << 10)
                            what = "\(response.status.code)"
                        } catch { what = "\(error)" }
                        history.append("\((a - start).wholeMilliseconds)+\((ContinuousClock.now - a).wholeMilliseconds):\(what)")
                        if what == "200" { break }
                    }
                    try await Task.sleep(for: pause)
                    pause = min(pause * 3 / 2, .milliseconds(25))
                }
                print("ZZ", history.joined(separator: " "))
                group.cancelAll()
            }
        }
        try await client.shutdown()
    }
}
