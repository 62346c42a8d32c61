import Core
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// How models are loaded, with a real engine: what is configured, what there is memory for, when they go.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct ConfigureTests {
        private func package(_ place: Workplace, _ names: String...) async throws {
            for (number, name) in names.enumerated() {
                // A different choice makes a different model.
                let outcome = try await place.model(
                    "package", "--gguf", RealParts.pebble.string, "--context-size", "\(512 - number)", name)
                try #require(outcome.status == 0, "\(outcome.text)")
            }
        }

        private func ask(
            _ place: Workplace, _ path: String, _ body: String, headers: [String] = []
        ) async throws -> (status: Int, json: JSON) {
            let outcome = try await place.run(
                "/usr/bin/env",
                ["curl", "-s", "-w", "\n%{http_code}", "\(place.base)\(path)", "-d", body]
                    + headers.flatMap { ["-H", $0] })
            let lines = outcome.out.split(separator: "\n", omittingEmptySubsequences: false)
            let text = lines.dropLast().joined(separator: "\n")
            return (Int(lines.last ?? "") ?? 0, text.isEmpty ? .null : try JSON(parsing: text))
        }

        private func chat(_ place: Workplace, _ model: String, _ text: String) async throws -> (status: Int, json: JSON)
        {
            try await ask(
                place, "/v1/chat/completions",
                #"{"model":"\#(model)","temperature":0,"messages":[{"role":"user","content":"\#(text)"}]}"#)
        }

        private func runners(_ place: Workplace) async throws -> [String] {
            try await place.model("ps").lines.dropFirst().map { line in
                line.split(separator: " ").prefix(3).joined(separator: " ")
            }
        }

        @Test func whatIsConfiguredLasts() async throws {
            try await Workplace.with { place in
                try await package(place, "pebble")
                let configured = try await place.model(
                    "configure", "--context-size", "256", "--keep-alive", "90m", "pebble", "--", "--seed", "7")
                #expect(configured.text == "exit 0\n\n", "\(configured.text)")
                let more = try await place.model("configure", "--slots", "2", "--think=false", "pebble")
                #expect(more.text == "exit 0\n\n", "\(more.text)")
                let restarted = try await place.model("restart-runner")
                #expect(restarted.status == 0, "\(restarted.text)")

                let shown = try JSON(parsing: try await place.model("configure", "show", "pebble").out)
                #expect(
                    shown.array?.first?["Config"]?.text
                        == #"{"context-size":256,"runtime-flags":["--seed","7"],"keep_alive":"1h30m0s","slots":2,"#
                        + #""llamacpp":{"reasoning-budget":0}}"#, "\(shown.text)")
                let asked = try await place.model("run", "--temperature", "0", "pebble", "What color is the sky?")
                #expect(asked.out == "The sky is blue.\n", "\(asked.text)")
                let listed = try await place.model("ps")
                #expect(listed.lines.last?.contains("About an hour from now") == true, "\(listed.text)")
                #expect(listed.lines.last?.split(separator: " ").contains("256") == true, "\(listed.text)")
                #expect(try await place.model("ls").lines.last?.split(separator: " ").contains("256") == true)
                #expect(try await place.model("inspect", "pebble").out.contains(#""slots": 2"#))
                let log = try await place.model("logs").out
                #expect(log.contains("n_slots = 2, n_ctx_slot = 256"), "\(log)")

                // Nothing is cut without a word: both numbers are said.
                let long = try await chat(place, "pebble", String(repeating: "word ", count: 600))
                #expect(long.status == 400, "\(long.json.text)")
                #expect(long.json["error"]?["n_ctx"] == 256 && (long.json["error"]?["n_prompt_tokens"]?.int ?? 0) > 256)

                let cleared = try await place.model("configure", "--unset", "all", "pebble")
                #expect(cleared.status == 0, "\(cleared.text)")
                #expect(try await place.model("configure", "show").out == "[]\n")
                #expect(try await runners(place).isEmpty)
            }
        }

        @Test func mistakesOfConfiguringAreNamed() async throws {
            try await Workplace.with { place in
                try await package(place, "pebble")
                let cases: [(arguments: [String], says: String)] = [
                    (["pebble", "--", "--model", "/etc/passwd"], "the runtime flag \"--model\" is not allowed"),
                    (["pebble", "--", "--temp", "../x"], "looks like a path"),
                    (["--speculative-draft-model", "nix", "pebble"], "the draft model nix cannot be used"),
                    (["nix"], "no such model: nix"), (["--keep-alive", "soon", "pebble"], "keep_alive cannot be"),
                    (["--backend", "nix", "pebble"], "backend not found"),
                ]
                for (arguments, says) in cases {
                    let outcome = try await place.run(RealParts.path("WHARF_BIN"), ["model", "configure"] + arguments)
                    #expect(outcome.status == 1 && outcome.out.isEmpty, "\(arguments): \(outcome.text)")
                    #expect(
                        outcome.err.contains(says) && outcome.err.split(separator: "\n").count == 1, "\(outcome.text)")
                }
            }
        }

        @Test func memoryForOneIsGivenToTheLatest() async throws {
            try await Workplace.with { place in
                try await package(place, "one", "two")
                let budget = ["WHARF_MEMORY_BUDGET": "60MiB"]
                let started = try await place.model("start-runner", with: budget)
                #expect(started.status == 0, "\(started.text)")
                let first = try await place.model("run", "--temperature", "0", "one", "Who are you?")
                #expect(first.out == "I am Pebble, a very small test model.\n", "\(first.text)")
                #expect(try await runners(place) == ["one llama.cpp completion"])
                let second = try await place.model("run", "--temperature", "0", "two", "Who are you?")
                #expect(second.status == 0, "\(second.text)")
                #expect(try await runners(place) == ["two llama.cpp completion"])

                // What can never fit is refused, with what it needs and what there is.
                let configured = try await place.model("configure", "--context-size", "1000000", "one")
                #expect(configured.status == 0, "\(configured.text)")
                let refused = try await chat(place, "one", "hi")
                #expect(refused.status == 503, "\(refused.json.text)")
                let message = refused.json["error"]?["message"]?.string ?? ""
                #expect(
                    message.contains("not enough memory for docker.io/ai/one:latest: it needs about "), "\(message)")
                #expect(
                    message.contains("60.00MiB can be had. Use a context smaller than 1000000 tokens"), "\(message)")
                #expect(try await runners(place) == ["two llama.cpp completion"])
            }
        }

        @Test func kindsOfWorkHaveRunnersOfTheirOwn() async throws {
            try await Workplace.with { place in
                try await package(place, "pebble")
                #expect(try await place.model("configure", "--keep-alive", "0", "pebble").status == 0)
                #expect(try await chat(place, "pebble", "hi").status == 200)
                try await eventually("it goes when it has answered") { try await runners(place).isEmpty }

                #expect(try await place.model("configure", "--unset", "keep-alive", "pebble").status == 0)
                let embedded = try await ask(place, "/v1/embeddings", #"{"model":"pebble","input":["a","b"]}"#)
                #expect(embedded.status == 200, "\(embedded.json.text)")
                #expect(embedded.json["data"]?.array?.map { $0["embedding"]?.array?.count } == [128, 128])
                #expect(try await place.model("configure", "--mode", "reranking", "pebble").status == 0)
                #expect(try await place.model("run", "--detach", "pebble").status == 0)
                #expect(try await chat(place, "pebble", "hi").status == 200)
                #expect(
                    try await runners(place).sorted()
                        == ["pebble llama.cpp completion", "pebble llama.cpp reranking"])
                #expect(try await place.model("unload", "--all").out == "Unloaded 2 model(s).\n")
                try await eventually("all are gone") { try await runners(place).isEmpty }
            }
        }

        @Test func aSmallModelGuessesAhead() async throws {
            try await Workplace.with { place in
                try await package(place, "pebble", "small")
                let configured = try await place.model(
                    "configure", "--speculative-draft-model", "small", "--speculative-num-tokens", "8", "pebble")
                #expect(configured.status == 0, "\(configured.text)")
                let asked = try await place.model("run", "--temperature", "0", "pebble", "Who are you?")
                #expect(asked.out == "I am Pebble, a very small test model.\n", "\(asked.text)")
                #expect(try await place.model("logs").out.contains("draft acceptance"))
            }
        }

        /// A server that is known from a description only: its own arguments, a port, a readiness path, a name.
        @Test func aServerIsDescribedByData() async throws {
            try await Workplace.with { place in
                try await package(place, "pebble")
                let program = place.folder.appending("stub-server")
                try Files.write(ByteBuffer(string: Self.stub), to: program, mode: 0o755)
                let description: JSON = [
                    "name": "stub", "program": .string(program.string), "formats": ["gguf"], "readiness": "/ready",
                    "arguments": [
                        "--port={port}", "--weights", "{model}",
                        ["when": "context", "arguments": ["--window", "{context}"]],
                    ], "environment": ["STUB_WORD": "hello"], "served-name": "only-this", "runtime-flags": ["--loud"],
                ]
                let folder = place.folder.appending(".docker/model-runner/backends")
                try Files.makeDirectory(folder)
                try Files.write(description.bytes, to: folder.appending("stub.json"))

                #expect(try await place.model("status").status == 1)
                let configured = try await place.model(
                    "configure", "--backend", "stub", "--context-size", "99", "pebble", "--", "--loud")
                #expect(configured.status == 0, "\(configured.text)")
                let status = try await place.model("status")
                #expect(status.lines.contains { $0.hasPrefix("stub ") && $0.contains("Running") }, "\(status.text)")
                let answer = try await ask(
                    place, "/engines/stub/v1/chat/completions",
                    #"{"model":"pebble","seed":7,"messages":[{"role":"user","content":"hi"}]}"#)
                #expect(answer.status == 200, "\(answer.json.text)")
                #expect(
                    answer.json["word"] == "hello" && answer.json["body"]?["model"] == "only-this",
                    "\(answer.json.text)")
                #expect(answer.json["body"]?["seed"] == 7, "\(answer.json.text)")
                let words = (answer.json["arguments"]?.array ?? []).compactMap(\.string)
                #expect(words.first?.hasPrefix("--port=") == true && words.suffix(3) == ["--window", "99", "--loud"])
                #expect(words.dropFirst().prefix(2).last?.hasSuffix("model.gguf") == true)
                #expect(try await runners(place) == ["pebble stub completion"])
                #expect(try await place.model("unload", "--backend", "stub", "pebble").out == "Unloaded 1 model(s).\n")
                let unable = try await ask(place, "/engines/stub/v1/embeddings", #"{"model":"pebble","input":"a"}"#)
                #expect(unable.status == 422, "\(unable.json.text)")
            }
        }

        private static let stub = #"""
            #!/usr/bin/env python3
            import http.server, json, os, sys

            class Handler(http.server.BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"

                def answer(self, status, value):
                    body = json.dumps(value).encode()
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def do_GET(self):
                    self.answer(200 if self.path == "/ready" else 404, {})

                def do_POST(self):
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    self.answer(200, {"arguments": sys.argv[1:], "body": body, "word": os.environ["STUB_WORD"]})

                def log_message(self, *arguments):
                    pass

            port = int(sys.argv[1].split("=")[1])
            http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()

            """#
    }
}
