import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import Subprocess
import SystemPackage
import Testing

extension Integration {
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct DaemonTests {
        private func prepare(_ place: Workplace) async throws {
            let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
            try #require(packaged.status == 0, "\(packaged.text)")
        }

        /// Processes whose command line holds a text.
        private func processes(with text: String, _ place: Workplace) async throws -> [Substring] {
            try await place.run("/usr/bin/env", ["ps", "-A", "-ww", "-o", "command="]).lines.filter {
                $0.contains(text)
            }
        }

        @Test func commandsThatStartTogetherStartOneDaemon() async throws {
            try await Workplace.with { place in
                try await withThrowingTaskGroup(of: Workplace.Outcome.self) { group in
                    for _ in 0..<5 { group.addTask { try await place.model("ls") } }
                    for try await outcome in group { #expect(outcome.status == 0, "\(outcome.text)") }
                }
                let log = String(
                    buffer: try Files.read(place.folder.appending(".docker/model-runner/model-runner.log")))
                #expect(log.split(separator: "\n").count { $0.hasPrefix("listening on /") } == 1, "\(log)")
            }
        }

        @Test func enginesDieWithTheDaemon() async throws {
            try await Workplace.with { place in
                try await prepare(place)
                let loaded = try await place.model("run", "--detach", "pebble")
                try #require(loaded.status == 0, "\(loaded.text)")
                let bundles = place.models.appending("bundles").string
                #expect(try await !processes(with: bundles, place).isEmpty)
                let pid = try #require(place.daemonPID)
                POSIX.send(signal: 9, to: pid)
                try await eventually("no engine is left after kill -9 of the daemon") {
                    try await processes(with: bundles, place).isEmpty
                }
                // The socket of the dead daemon is still there; the next command starts another one all the same.
                #expect(Files.exists(place.socket))
                let asked = try await place.model("run", "--temperature", "0", "pebble", "What color is the sky?")
                #expect(asked.out == "The sky is blue.\n", "\(asked.text)")
                #expect(place.daemonPID != pid)
            }
        }

        /// Whoever else uses the machine may listen on the port first, and must not be given prompts.
        @Test func aStrangerOnThePortIsNotTakenForOurDaemon() async throws {
            let stranger = """
                import http.server, sys
                class Stranger(http.server.BaseHTTPRequestHandler):
                    def do_GET(self):
                        self.send_response(200)
                        self.end_headers()
                        self.wfile.write(b"Docker Model Runner is running" if self.path == "/" else b'[{"evil":1}]')
                server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Stranger)
                print("up", flush=True)
                server.serve_forever()
                """
            try await Workplace.with { place in
                _ = try await Subprocess.run(
                    .path(.init(RealParts.path("WHARF_CLIENTS_PYTHON"))),
                    arguments: ["-c", stranger, "\(place.port)"], environment: place.variables(),
                    input: .none, output: .sequence, error: .discarded
                ) { execution in
                    for try await _ in execution.standardOutput { break }
                    let outcome: Result<Workplace.Outcome, any Error>
                    do {
                        let before = try await place.model("status")
                        #expect(before.status == 1, "\(before.text)")
                        let list = try await place.model("ls", "--json")
                        #expect(list.status == 0 && !list.out.contains("evil"), "\(list.text)")
                        outcome = .success(try await place.model("status", "--json"))
                    } catch { outcome = .failure(error) }
                    POSIX.send(signal: 15, to: execution.processIdentifier.value)
                    let status = try JSON(parsing: outcome.get().out)
                    #expect(status["running"] == true)
                    #expect(status["endpointHost"] == .null, "\(status.text)")
                }
            }
        }

        @Test func statusAndVersionTellWhatRuns() async throws {
            try await Workplace.with { place in
                let before = try await place.model("status")
                #expect(before.status == 1)
                #expect(before.out == "Docker Model Runner is not running\n")
                #expect(try await place.model("version").out.contains("(not reachable)"))
                #expect(try await place.model("ls").status == 0)
                let after = try await place.model("status", "--json")
                #expect(after.status == 0)
                #expect(after.err.isEmpty)
                let json = try JSON(parsing: after.out)
                #expect(json["running"] == true)
                #expect(
                    json["backends"]?["llama.cpp"]?.string?.hasPrefix("Running: llama.cpp") == true, "\(after.text)")
                #expect(json["endpointHost"]?.string == "http://127.0.0.1:\(place.port)/v1/")
            }
        }

        @Test func theDaemonIsStoppedAndStartedByHand() async throws {
            try await Workplace.with { place in
                let nothing = try await place.model("stop-runner")
                #expect(nothing.status == 0)
                #expect(nothing.out == "No model runner was running\n", "\(nothing.text)")
                let started = try await place.model("start-runner")
                #expect(started.out == "Started a model runner on \(place.socket)\n", "\(started.text)")
                let first = try #require(place.daemonPID)
                let again = try await place.model("start-runner")
                #expect(again.out == "A model runner is running already\n", "\(again.text)")
                let restarted = try await place.model("restart-runner")
                #expect(
                    restarted.out == """
                        Stopped the model runner (process \(first))
                        Started a model runner on \(place.socket)

                        """, "\(restarted.text)")
                let second = try #require(place.daemonPID)
                #expect(second != first)
                let elsewhere = try await place.model("stop-runner", with: ["MODEL_RUNNER_HOST": "http://127.0.0.1:1"])
                #expect(elsewhere.status == 1, "\(elsewhere.text)")
                let stopped = try await place.model("stop-runner")
                #expect(stopped.out == "Stopped the model runner (process \(second))\n", "\(stopped.text)")
                try await eventually("nothing is left of the process") { !POSIX.send(signal: 0, to: second) }
                #expect(try await place.model("status").status == 1)
            }
        }

        @Test func lostOutputIsNoSuccess() async throws {
            try await Workplace.with { place in
                try await prepare(place)
                let wharf = try RealParts.path("WHARF_BIN")
                for line in ["model ls", "model --help", "model inspect pebble", "model status"] {
                    let full = try await place.run("/bin/sh", ["-c", "\"$0\" \(line) >/dev/full", wharf])
                    #expect(full.status == 1, "\(line): \(full.text)")
                    #expect(full.err == "cannot write stdout: No space left on device\n", "\(line): \(full.text)")
                }
                for line in [
                    "model logs | head -n 1", "model run --temperature 0 pebble 'Tell me a story' | head -c 1",
                ] {
                    let cut = try await place.run("/bin/bash", ["-c", "set -o pipefail; \"$0\" \(line)", wharf])
                    #expect(cut.status == 0, "\(line): \(cut.text)")
                    #expect(cut.err.isEmpty, "\(line): \(cut.text)")
                }
            }
        }

        @Test func aPortInUseIsSaidInOneLine() async throws {
            try await Workplace.with { place in
                _ = try await place.model("ls")
                let other = place.folder.appending("other.sock").string
                let outcome = try await place.wharf("serve", "--port", "\(place.port)", "--socket", other)
                #expect(outcome.status == 1)
                #expect(
                    outcome.err == "port \(place.port) on 127.0.0.1 is in use. Choose another one with --port.\n",
                    "\(outcome.text)")
                let second = try await place.wharf("serve", "--port", "0")
                #expect(second.status == 1)
                #expect(second.err.contains("already listens on"), "\(second.text)")
            }
        }

        @Test func stopsGracefullyOnSIGTERM() async throws {
            try await Workplace.with { place in
                try await prepare(place)
                _ = try await place.model("run", "--detach", "pebble")
                let pid = try #require(place.daemonPID)
                // An answer is under way while the signal comes; it is told to its end.
                let isUnderWay = Promise<Void>()
                async let story = read(story(place), place, onFirstBytes: { isUnderWay.fulfil(.success(())) })
                try await isUnderWay.value
                POSIX.send(signal: 15, to: pid)
                #expect(try await story.hasSuffix("data: [DONE]\n\n"))
                try await eventually("the daemon ends") { !POSIX.send(signal: 0, to: pid) }
            }
        }

        /// Asks for an answer as long as the model's context, streamed.
        private func story(_ place: Workplace) -> [String] {
            [
                "curl", "-sN", "--unix-socket", place.socket.string, "http://localhost/v1/chat/completions", "-d",
                #"{"model":"pebble","stream":true,"ignore_eos":true,"max_tokens":400,"messages":[{"role":"user","content":"hi"}]}"#,
            ]
        }

        /// A command's output to its end; tells when it begins.
        private func read(
            _ command: [String], _ place: Workplace, onFirstBytes: @escaping @Sendable () -> Void
        ) async throws -> String {
            try await Subprocess.run(
                .path("/usr/bin/env"), arguments: Arguments(command), environment: place.variables(), input: .none,
                output: .sequence, error: .discarded
            ) { execution in
                var bytes: [UInt8] = []
                for try await chunk in execution.standardOutput {
                    onFirstBytes()
                    chunk.withUnsafeBytes { bytes += $0 }
                }
                return String(decoding: bytes, as: UTF8.self)
            }.closureResult
        }

        @Test func aCommandThatComesWhileTheDaemonEndsGetsTheNextOne() async throws {
            try await Workplace.with { place in
                try await prepare(place)
                _ = try await place.model("run", "--detach", "pebble")
                let pid = try #require(place.daemonPID)
                // Long enough to be under way when the command comes; the daemon waits for its end.
                let isUnderWay = Promise<Void>()
                async let stream = read(story(place), place, onFirstBytes: { isUnderWay.fulfil(.success(())) })
                try await isUnderWay.value
                POSIX.send(signal: 15, to: pid)
                try await eventually("the daemon accepts nothing any more") {
                    try await place.model("status").status == 1
                }
                let next = try await place.model("ls", "-q")
                #expect(next.status == 0, "\(next.text)")
                #expect(place.daemonPID != pid)
                #expect(try await stream.hasSuffix("data: [DONE]\n\n"))
            }
        }

        @Test func theDaemonHoldsNothingThatItsStarterHasOpen() async throws {
            try await Workplace.with { place in
                let file = place.folder.appending("held").string
                let script = "exec 9>\(file); exec \"$0\" model ls"
                let outcome = try await place.run("/bin/sh", ["-c", script, try RealParts.path("WHARF_BIN")])
                #expect(outcome.status == 0, "\(outcome.text)")
                let pid = try #require(place.daemonPID)
                let open = try await place.run(
                    "/bin/sh", ["-c", "ls -l /proc/\(pid)/fd 2>/dev/null || lsof -p \(pid)"])
                #expect(open.out.contains("model-runner.sock.lock"), "\(open.text)")
                #expect(!open.out.contains(file), "\(open.text)")
            }
        }

        @Test(arguments: [("<&-", "The sky is blue.\n"), (">&-", ""), ("<&- >&- 2>&-", "")])
        func closedStreamsAreNoReasonToFail(_ redirection: String, _ answer: String) async throws {
            try await Workplace.with { place in
                try await prepare(place)
                let script = "exec \"$0\" model run --temperature 0 pebble 'What color is the sky?' \(redirection)"
                let outcome = try await place.run("/bin/sh", ["-c", script, try RealParts.path("WHARF_BIN")])
                #expect(outcome.status == 0, "\(outcome.text)")
                #expect(outcome.out == answer, "\(outcome.text)")
            }
        }

        /// The engine closes its connections as it likes; no answer may be lost to that.
        @Test func manyShortStreamsInARowAreAllAnswered() async throws {
            try await Workplace.with { place in
                try await prepare(place)
                _ = try await place.model("run", "--detach", "pebble")
                var request = HTTPClientRequest(url: "\(place.base)/v1/chat/completions")
                request.method = .POST
                request.body = .bytes(
                    ByteBuffer(
                        string:
                            #"{"model":"pebble","stream":true,"max_tokens":1,"messages":[{"role":"user","content":"Hi"}]}"#
                    ))
                for _ in 0..<300 {
                    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
                    let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
                    try #require(response.status == .ok, "\(text)")
                    #expect(text.hasSuffix("data: [DONE]\n\n"))
                }
            }
        }

        @Test func pythonsOpenAIClientFindsWhatItKnows() async throws {
            try await Workplace.with { place in
                try await prepare(place)
                _ = try await place.model("ls")
                let script = RealParts.repository.appending("Tests/Clients/openai_client.py").string
                let outcome = try await place.run(
                    RealParts.path("WHARF_CLIENTS_PYTHON"), [script, "\(place.base)/engines/v1", "ai/pebble"])
                let report = try JSON(parsing: outcome.out)
                #expect(report["ok"] == true, "\(report["wrong"]?.text ?? outcome.text)")
                #expect(report["toolLoops"]?["right"]?.int == 12)
                #expect(report["errors"]?["unknownModel"]?["class"]?.string == "NotFoundError")
            }
        }
    }
}
