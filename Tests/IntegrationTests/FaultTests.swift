import Core
import ModelStore
import NIOCore
import OCI
import SystemPackage
import Testing

extension Integration {
    /// What goes wrong with a real engine, as each API's clients see it.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct FaultTests {
        private struct Answer {
            let status: Int
            let text: String

            /// The last line that holds JSON, of a stream or of a whole answer.
            var last: JSON? {
                text.split(separator: "\n").compactMap { line in
                    let data = line.hasPrefix("data: ") ? line.dropFirst(6) : line
                    return data.hasPrefix("{") ? try? JSON(parsing: String(data)) : nil
                }.last
            }
        }

        private func ask(_ place: Workplace, _ path: String, _ body: JSON) async throws -> Answer {
            let outcome = try await place.run(
                "/usr/bin/env", ["curl", "-sN", "-w", "\n%{http_code}", "\(place.base)\(path)", "-d", body.text])
            let end = outcome.out.lastIndex(of: "\n") ?? outcome.out.startIndex
            return Answer(status: Int(outcome.out[end...].dropFirst()) ?? 0, text: String(outcome.out[..<end]))
        }

        private func package(_ place: Workplace) async throws {
            let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
            try #require(packaged.status == 0, "\(packaged.text)")
            #expect(try await place.model("ls").status == 0)
        }

        private static let words = "Tell me a story."

        private static func request(_ path: String, _ text: String, format: JSON? = nil, stream: Bool) -> JSON {
            var body = JSON.Object([("model", "pebble"), ("stream", .bool(stream))])
            let messages: JSON = [["role": "user", "content": .string(text)]]
            switch path {
            case "/v1/responses":
                body["input"] = .string(text)
                body["temperature"] = 0
                if let format { body["text"] = ["format": ["type": "json_schema", "name": "n", "schema": format]] }
            case "/v1/messages":
                (body["messages"], body["max_tokens"], body["temperature"]) = (messages, 2000, 0)
                if let format { body["output_config"] = ["format": ["type": "json_schema", "schema": format]] }
            case "/api/chat":
                (body["messages"], body["options"], body["format"]) = (messages, ["temperature": 0], format)
            default:
                (body["messages"], body["temperature"]) = (messages, 0)
                if let format {
                    body["response_format"] = [
                        "type": "json_schema", "json_schema": ["name": "n", "schema": format],
                    ]
                }
            }
            return .object(body)
        }

        private static let paths = ["/v1/chat/completions", "/v1/messages", "/api/chat", "/v1/responses"]

        /// The error's text in each API's shape, of a whole answer and of a stream.
        private func message(_ path: String, _ json: JSON?) -> String? {
            switch path {
            case "/api/chat": json?["error"]?.string
            case "/v1/messages": json?["type"] == "error" ? json?["error"]?["message"]?.string : nil
            case "/v1/responses":
                (json?["response"]?["status"] == "failed" ? json?["response"]?["error"] : json?["error"])?["message"]?
                    .string
            default: json?["error"]?["message"]?.string
            }
        }

        @Test func whatDoesNotMatchItsSchemaIsAnError() async throws {
            try await Workplace.with { place in
                try await package(place)
                let number: JSON = [
                    "type": "object", "properties": ["n": ["type": "integer", "multipleOf": 10]], "required": ["n"],
                ]
                // One that nobody's grammar can be made of.
                let endless: JSON = ["$ref": "#/$defs/a", "$defs": ["a": ["$ref": "#/$defs/a"]]]
                for path in Self.paths {
                    let whole = try await ask(
                        place, path, Self.request(path, "Give me a number.", format: number, stream: false))
                    let says =
                        "the model's answer does not match the schema that was asked for: $.n is no multiple of 10"
                    #expect(whole.status == 500, "\(path) \(whole.text)")
                    #expect(message(path, whole.last)?.hasPrefix(says) == true, "\(path) \(whole.text)")
                    let stream = try await ask(
                        place, path, Self.request(path, "Give me a number.", format: number, stream: true))
                    #expect(stream.status == 200 && !stream.text.contains("[DONE]"), "\(path) \(stream.text)")
                    #expect(message(path, stream.last)?.hasPrefix(says) == true, "\(path) \(stream.text)")
                    for isStream in [false, true] {
                        let refused = try await ask(
                            place, path, Self.request(path, "Give me a number.", format: endless, stream: isStream))
                        #expect(refused.status == 400, "\(path) \(refused.text)")
                        #expect(message(path, refused.last)?.contains("grammar") == true, "\(path) \(refused.text)")
                    }
                }
            }
        }

        /// The engine's own process: it is the one that holds the model open.
        private func engine(_ place: Workplace) async throws -> Int32 {
            let bundles = place.models.appending("bundles").string
            let lines = try await place.run("/usr/bin/env", ["ps", "-A", "-ww", "-o", "pid=,command="]).lines
            let line = try #require(lines.first { $0.contains(bundles) && !$0.contains("__child") })
            return try #require(Int32(line.split(separator: " ").first ?? ""))
        }

        @Test(arguments: paths) func anEngineThatIsKilledWithinAStream(_ path: String) async throws {
            try await Workplace.with { place in
                try await package(place)
                var cut = Answer(status: 0, text: "")
                // A small model's answer may be over before anybody has looked.
                for _ in 0..<20 where cut.status != 200 || message(path, cut.last) == nil {
                    try #require(try await place.model("run", "--detach", "pebble").status == 0)
                    let pid = try await engine(place)
                    async let answer = ask(place, path, Self.endless(path))
                    for _ in 0..<20 where try await isAnswering(place) {
                        POSIX.send(signal: 9, to: pid)
                        break
                    }
                    cut = try await answer
                }
                #expect(cut.status == 200, "\(cut.text.suffix(500))")
                #expect(
                    message(path, cut.last)?.contains("killed (SIGKILL), most often by the system for lack of memory")
                        == true, "\(cut.text.suffix(500))")
                // The next one starts afresh.
                let next = try await ask(place, path, Self.request(path, "What color is snow?", stream: false))
                #expect(next.status == 200 && next.text.contains("Snow is white."), "\(next.text)")
            }
        }

        private func isAnswering(_ place: Workplace) async throws -> Bool {
            let outcome = try await place.run("/usr/bin/env", ["curl", "-s", "\(place.base)/engines/ps"])
            return try JSON(parsing: outcome.out).array?.first?["in_use"] == true
        }

        /// A question whose answer takes until the context is full.
        private static func endless(_ path: String) -> JSON {
            guard case .object(var body) = request(path, words, stream: true) else { return .null }
            if path == "/api/chat" {
                body["options"] = ["temperature": 1, "num_predict": 100_000]
            } else if path == "/v1/messages" {
                body["max_tokens"] = 100_000
            }
            if path != "/api/chat" { (body["ignore_eos"], body["temperature"]) = (true, 1) }
            return .object(body)
        }

        @Test func aFileThatIsBroken() async throws {
            try await Workplace.with { place in
                try await package(place)
                let model = try ModelStore(root: place.models).model(named: "pebble")
                let weights = try #require(model.manifest.layers.first?.digest)
                // The bundle's file is the same one, by a hard link.
                let blob = place.models.appending("blobs/sha256/\(weights.hex)")
                let whole = try Files.read(blob)
                let file = try FileDescriptor.open(blob, .writeOnly)
                defer { try? file.close() }
                _ = try file.writeAll(toAbsoluteOffset: 0, "JUNK".utf8)
                for path in Self.paths {
                    let answer = try await ask(place, path, Self.request(path, "hi", stream: true))
                    #expect(answer.status == 500, "\(path) \(answer.text)")
                    #expect(
                        message(path, answer.last)?.contains("the model's file is no GGUF file") == true
                            && answer.text.contains("Remove the model and pull it again."), "\(path) \(answer.text)")
                }
                #expect(try await place.model("ps").lines.count == 1)
                _ = try file.writeAll(toAbsoluteOffset: 0, whole.readableBytesView)
                let healed = try await ask(
                    place, "/api/chat", Self.request("/api/chat", "What color is snow?", stream: false))
                #expect(healed.status == 200, "\(healed.text)")
                // One that is shorter than it was.
                try file.resize(to: 300_000)
                #expect(try await place.model("unload", "--all").status == 0)
                let short = try await ask(place, "/v1/messages", Self.request("/v1/messages", "hi", stream: true))
                #expect(
                    short.status == 500 && short.text.contains("the model's file is corrupted or incomplete")
                        && short.text.contains("Remove the model and pull it again."), "\(short.text)")
            }
        }

        @Test func modelsStayAsLongAsTheyWereAskedTo() async throws {
            try await Workplace.with { place in
                try await package(place)
                func until() async throws -> String {
                    try await place.model("ps").lines.dropFirst().first.map(String.init) ?? ""
                }
                let base = Self.request("/v1/chat/completions", "hi", stream: false).object ?? JSON.Object()
                func ask(keepAlive: JSON?, _ path: String = "/v1/chat/completions") async throws {
                    var body = path == "/api/chat" ? Self.request(path, "hi", stream: false).object ?? base : base
                    body["keep_alive"] = keepAlive
                    let answer = try await self.ask(place, path, .object(body))
                    #expect(answer.status == 200, "\(answer.text)")
                }
                try await ask(keepAlive: -1)
                #expect(try await until().contains("Forever"))
                try await ask(keepAlive: "90m", "/api/chat")
                #expect(try await until().contains("About an hour from now"))
                try await ask(keepAlive: nil)
                #expect(try await until().contains("minutes from now"))
                try await ask(keepAlive: "1s", "/api/chat")
                try await eventually("it goes when it has been idle") { try await until().isEmpty }
                #expect(try await place.model("configure", "--keep-alive", "-1", "pebble").status == 0)
                let preloaded = try await place.run(
                    "/usr/bin/env",
                    [
                        "curl", "-s", "-w", "%{http_code}", "-H", "X-Preload-Only: true",
                        "\(place.base)/v1/chat/completions", "-d", #"{"model":"pebble","messages":[]}"#,
                    ])
                #expect(preloaded.out == "200", "\(preloaded.text)")
                #expect(try await until().contains("Forever"))
                let running = try await place.run("/usr/bin/env", ["curl", "-s", "\(place.base)/api/ps"])
                let shown = try JSON(parsing: running.out)["models"]?.array?.first
                #expect(shown?["context_length"] == 2048 && shown?["expires_at"] == "2318-12-31T23:59:59Z")
                // A request decides for itself.
                try await ask(keepAlive: 0)
                try await eventually("it goes when it has answered") { try await until().isEmpty }
            }
        }
    }
}
