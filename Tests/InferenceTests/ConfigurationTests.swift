import Core
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite struct KeepAliveTests {
    @Test(arguments: [
        ("5m", "5m0s"), ("0", "0s"), ("-1", "-1"), ("1h2m3s", "1h2m3s"), ("90", "1m30s"), ("-5m", "-1"),
        ("1.5h", "1h30m0s"),
        ("250ms", "250ms"), ("0s", "0s"), ("-0", "0s"), ("1000000h", "87600h0m0s"),
    ])
    func texts(text: String, shown: String) { #expect(KeepAlive(parsing: text)?.text == shown) }

    @Test(
        arguments: ["", "-", "5", "m", "5x", "5m3", "forever", "1e3", "nan", "inf", "--1", "5 m"].filter { $0 != "5" })
    func nonsense(text: String) { #expect(KeepAlive(parsing: text) == nil) }

    @Test func numbers() {
        #expect(KeepAlive(300) == .after(.seconds(300)))
        #expect(KeepAlive(-1) == .forever)
        #expect(KeepAlive(.number("0.25")) == .after(.milliseconds(250)))
        #expect(KeepAlive(true) == nil)
    }
}

@Suite struct RuntimeFlagsTests {
    @Test(arguments: [
        [], ["--temp", "0.7"], ["-ngl", "0", "--threads=2"], ["-n", "-1"], ["--predict=-1"], ["--metrics"],
        ["--tensor-split", "3,1"], ["--cache-type-k", "q8_0"],
    ])
    func good(_ flags: [String]) throws { try RuntimeFlags.llama.check(flags) }

    @Test(arguments: [
        ["--model", "x"], ["-m"], ["--host=0.0.0.0"], ["--port", "80"], ["--lora", "x"], ["--log-file", "x"],
        ["--temp", "/etc/passwd"], ["--grammar=..\\x"], ["--temp=--host"], ["--temp", "1", "--api-key", "k"], ["0.7"],
        ["x", "--temp"], ["--override-tensor", "a=b"], ["--alias", "x"], ["--context-shift"], ["--", "--host"], [""],
        ["--temp", "a\0b"], ["--mmproj", "p"], ["--chat-template-file", "f"], ["--tempx"], ["-"],
    ])
    func bad(_ flags: [String]) {
        let failure = #expect(throws: Failure.self) { try RuntimeFlags.llama.check(flags) }
        #expect(failure?.code == .invalidArgument)
        #expect(throws: Failure.self) { try RuntimeFlags.none.check(flags) }
    }
}

@Suite struct ModelConfigurationTests {
    private func merged(_ texts: String...) throws -> ModelConfiguration {
        try texts.reduce(ModelConfiguration()) { try $0.merging(JSON(parsing: $1)) }
    }

    @Test func decisionsAreMergedNotReplaced() throws {
        let configuration = try merged(
            #"{"model":"x","context-size":4096,"runtime-flags":["--temp","0.7"],"llamacpp":{"reasoning-budget":0}}"#,
            #"{"keep_alive":"10m","slots":2,"speculative":{"draft_model":"small","num_tokens":5}}"#,
            #"{"speculative":{"min_acceptance_rate":0.5},"context-size":8192}"#)
        #expect(
            configuration.json.text
                == #"{"context-size":8192,"runtime-flags":["--temp","0.7"],"speculative":{"draft_model":"small","#
                + #""num_tokens":5,"min_acceptance_rate":0.5},"keep_alive":"10m0s","slots":2,"#
                + #""llamacpp":{"reasoning-budget":0}}"#)
        #expect(try ModelConfiguration().merging(configuration.json) == configuration)
    }

    @Test func nullTakesADecisionBack() throws {
        let all =
            #"{"mode":"embedding","context-size":-1,"runtime-flags":["-v"],"keep_alive":-1,"slots":2,"#
            + #""speculative":{"draft_model":"d"},"llamacpp":{"reasoning-budget":5},"vllm":{"hf-overrides":{"a":1}}}"#
        let none =
            #"{"mode":null,"context-size":null,"runtime-flags":null,"keep_alive":null,"slots":null,"#
            + #""speculative":null,"llamacpp":{"reasoning-budget":null},"vllm":null}"#
        #expect(try !merged(all).isEmpty)
        #expect(try merged(all, none).isEmpty)
        // Go's clients send what they have nothing to say about like this.
        #expect(try merged(all, #"{"mode":"","raw-runtime-flags":""}"#) == merged(all))
        #expect(try merged(#"{"raw-runtime-flags":"--temp '0.7'"}"#).runtimeFlags == ["--temp", "0.7"])
        #expect(try merged(#"{"context-size":0,"unknown":[]}"#).isEmpty)
    }

    @Test(arguments: [
        #"{"context-size":-2}"#, #"{"context-size":"big"}"#, #"{"context-size":99999999999}"#, #"{"mode":"x"}"#,
        #"{"runtime-flags":"-v"}"#, #"{"runtime-flags":[1]}"#, #"{"keep_alive":"soon"}"#, #"{"slots":0}"#,
        #"{"slots":65}"#, #"{"llamacpp":{"reasoning-budget":-2}}"#, #"{"speculative":[]}"#,
        #"{"speculative":{"num_tokens":-1}}"#, #"{"speculative":{"min_acceptance_rate":2}}"#,
        #"{"speculative":{"draft_model":1}}"#, #"{"vllm":[]}"#, #"{"vllm":{"gpu-memory-utilization":2}}"#,
        #"{"vllm":{"hf-overrides":[]}}"#, #"{"vllm":{"hf-overrides":{"a b":1}}}"#,
        #"{"vllm":{"hf-overrides":{"a":{"__x":[{"1":1}]}}}}"#, #"{"raw-runtime-flags":"'"}"#,
    ])
    func whatCannotBeIsRefused(_ text: String) {
        let failure = #expect(throws: Failure.self) { try merged(text) }
        #expect(failure?.code == .invalidArgument)
    }
}

@Suite struct ConfigurationFileTests {
    private func inFolder(_ body: (FilePath) throws -> Void) throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "configuration-")
        defer { try? Files.remove(folder) }
        try body(folder.appending("home/configuration.json"))
    }

    private func size(_ tokens: Int) -> (ModelConfiguration) -> ModelConfiguration {
        { old in
            var new = old
            new.contextSize = tokens
            return new
        }
    }

    @Test func decisionsLast() throws {
        try inFolder { path in
            let first = ConfigurationFile(path)
            try first.update(modelID: "sha256:a", names: ["docker.io/ai/a:latest"], size(1024))
            let second = ConfigurationFile(path)
            #expect(try second.configuration(ofModel: "sha256:a", names: []).contextSize == 1024)
            // A newer model has taken over the name.
            #expect(try second.configuration(ofModel: "sha256:b", names: ["docker.io/ai/a:latest"]).contextSize == 1024)
            #expect(try second.configuration(ofModel: "sha256:c", names: ["other"]).isEmpty)
            try second.update(modelID: "sha256:b", names: ["docker.io/ai/a:latest"], size(2048))
            // What another daemon has written is seen.
            let revision = try second.revision()
            #expect(try first.revision() == first.revision() && second.revision() == revision)
            #expect(try first.configuration(ofModel: "sha256:b", names: []).contextSize == 2048)
            #expect(try first.entries().count == 1)
            try first.update(modelID: "sha256:b", names: []) { _ in ModelConfiguration() }
            #expect(try second.revision() != revision)
            #expect(try second.entries().isEmpty)
            #expect(try POSIX.status(path).mode & 0o777 == 0o600)
        }
    }

    @Test func whatIsForgottenIsGone() throws {
        let file = ConfigurationFile(nil)
        try file.update(modelID: "a", names: ["n"], size(1))
        try file.forget(modelIDs: ["a", "b"])
        #expect(try file.configuration(ofModel: "a", names: ["n"]).isEmpty)
    }

    @Test func aRefusedChangeWritesNothing() throws {
        try inFolder { path in
            let file = ConfigurationFile(path)
            #expect(throws: Failure.self) {
                try file.update(modelID: "a", names: []) { _ in throw Failure(.invalidArgument, "no") }
            }
            #expect(!Files.exists(path))
        }
    }

    @Test func theNumberOfModelsIsBounded() throws {
        let file = ConfigurationFile(nil)
        for number in 0..<(ConfigurationFile.maximumEntries + 3) {
            try file.update(modelID: "\(number)", names: [], size(9))
        }
        let entries = try file.entries()
        #expect(entries.count == ConfigurationFile.maximumEntries && entries.first?.modelID == "3")
    }

    @Test(arguments: [
        "", "{}", #"{"version":2,"models":[]}"#, #"{"version":1,"models":[{"id":"a","config":{"slots":0}}]}"#,
    ])
    func aDamagedFileIsNamed(_ text: String) throws {
        try inFolder { path in
            try Files.makeDirectory(path.removingLastComponent())
            try Files.write(ByteBuffer(string: text), to: path)
            let failure = #expect(throws: Failure.self) {
                try ConfigurationFile(path).configuration(ofModel: "a", names: [])
            }
            #expect(failure?.code == .corrupted && failure?.message == "cannot understand \(path)")
        }
    }
}
