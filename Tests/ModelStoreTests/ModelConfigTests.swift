import Core
import ModelStore
import NIOCore
import OCI
import Testing

@Suite struct ModelConfigTests {
    @Test func readsDockersConfiguration() throws {
        let text = """
            {"config":{"format":"gguf","quantization":"Q4_K_M","parameters":"361.82 M","architecture":"llama",
            "size":"256.35 MiB","gguf":{"llama.context_length":"8192","b":"2"},"context_size":4096},
            "descriptor":{"created":"2025-04-01T10:00:00.123Z"},"rootfs":{"type":"rootfs","diff_ids":[]}}
            """
        let config = try ModelConfig(parsing: ByteBuffer(string: text))
        #expect(config.parameters == "361.82M")
        #expect(config.size == "256.35MiB")
        #expect(config.contextSize == 4096)
        #expect(config.contextLength == 4096)
        #expect(config.created == Timestamp(rfc3339: "2025-04-01T10:00:00Z"))
        #expect(
            config.json.text == """
                {"format":"gguf","quantization":"Q4_K_M","parameters":"361.82M","architecture":"llama",\
                "size":"256.35MiB","gguf":{"b":"2","llama.context_length":"8192"},"context_size":4096}
                """)
    }

    @Test func readsModelPack() throws {
        let text = """
            {"descriptor":{"createdAt":"2025-01-01T00:00:00Z","family":"qwen"},
            "config":{"architecture":"transformer","format":"gguf","paramSize":"8b","quantization":"q4","context_size":5},
            "modelfs":{"type":"layers","diffIds":[]}}
            """
        let config = try ModelConfig(parsing: ByteBuffer(string: text))
        #expect(config.parameters == "8b")
        #expect(config.format == "gguf")
        #expect(config.contextSize == nil)
        #expect(config.created.seconds == 1_735_689_600)
    }

    @Test(arguments: ["", "[]", "{}", "{\"config\":[]}", "{\"config\":\"x\"}", "<html>", "null"])
    func refuses(_ text: String) {
        let failure = #expect(throws: Failure.self) { try ModelConfig(parsing: ByteBuffer(string: text)) }
        #expect(failure?.code == .corrupted)
    }

    /// Members of the wrong kind are as good as missing.
    @Test(arguments: ["-1", "0", "1e99", "\"4096\"", "null", "[]", "99999999999"])
    func ignoresImpossibleContextSizes(_ value: String) throws {
        let text = "{\"config\":{\"format\":7,\"gguf\":[],\"context_size\":\(value)}}"
        let config = try ModelConfig(parsing: ByteBuffer(string: text))
        #expect(config.contextSize == nil)
        #expect(config.json.text == "{}")
    }

    @Test func writesWhatItReads() throws {
        var config = ModelConfig()
        config.format = "gguf"
        config.gguf = ["z": "1", "a": "\"quoted\"\n"]
        config.contextSize = 2048
        config.created = someTime
        let document = config.document(layers: [.sha256(of: ByteBuffer(string: "x"))])
        #expect(try ModelConfig(parsing: document) == config)
        #expect(document == config.document(layers: [.sha256(of: ByteBuffer(string: "x"))]))
        #expect(try JSON(parsing: document)["rootfs"]?["diff_ids"]?.array?.count == 1)
    }
}
