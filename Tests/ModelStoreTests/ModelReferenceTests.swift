import Core
import ModelStore
import Testing

private let hex = String(repeating: "a1", count: 32)

@Suite struct ModelReferenceTests {
    @Test(arguments: [
        ("smollm2", "docker.io/ai/smollm2:latest", "smollm2"),
        ("  smollm2\n", "docker.io/ai/smollm2:latest", "smollm2"),
        ("SmolLM2:Q4_K_M", "docker.io/ai/smollm2:Q4_K_M", "smollm2:Q4_K_M"),
        ("ai/smollm2", "docker.io/ai/smollm2:latest", "smollm2"),
        ("ai/smollm2:latest", "docker.io/ai/smollm2:latest", "smollm2"),
        ("docker.io/smollm2", "docker.io/ai/smollm2:latest", "smollm2"),
        ("docker.io/library/smollm2:1", "docker.io/ai/smollm2:1", "smollm2:1"),
        ("index.docker.io/ai/x", "docker.io/ai/x:latest", "x"),
        ("team/x", "docker.io/team/x:latest", "team/x"),
        ("hf.co/Org/Name-GGUF:Q8_0", "huggingface.co/org/name-gguf:Q8_0", "huggingface.co/org/name-gguf:Q8_0"),
        ("hf.co/o/n:q4_k_m", "huggingface.co/o/n:Q4_K_M", "huggingface.co/o/n:Q4_K_M"),
        ("hf.co/o/n:Own-File", "huggingface.co/o/n:Own-File", "huggingface.co/o/n:Own-File"),
        ("hf.co/o/n:LATEST", "huggingface.co/o/n:latest", "huggingface.co/o/n"),
        ("hf.co/o/n@refs/pr/1", "huggingface.co/o/n:refs-pr-1", "huggingface.co/o/n:refs-pr-1"),
        ("hf.co/o/n:q8_0@v1", "huggingface.co/o/n:Q8_0-v1", "huggingface.co/o/n:Q8_0-v1"),
        ("HuggingFace.co/o/n", "huggingface.co/o/n:latest", "huggingface.co/o/n"),
        ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x"),
        ("127.0.0.1:5000/ai/pebble:v1", "127.0.0.1:5000/ai/pebble:v1", "127.0.0.1:5000/ai/pebble:v1"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest", "ghcr.io/a/b"),
        ("x@sha256:\(hex)", "docker.io/ai/x@sha256:\(hex)", "x@sha256:\(hex)"),
        ("x:t@sha256:\(hex)", "docker.io/ai/x:t@sha256:\(hex)", "x:t@sha256:\(hex)"),
        ("0123456789ab", "docker.io/ai/0123456789ab:latest", "0123456789ab"),
    ])
    func normalizes(text: String, canonical: String, display: String) throws {
        let reference = try ModelReference(parsing: text)
        #expect(reference.canonical == canonical)
        #expect(reference.display == display)
        #expect(try ModelReference(parsing: canonical).canonical == canonical)
    }

    @Test(
        arguments: [
            ("0123456789ab", "0123456789ab", false), (hex, hex, true), ("sha256:\(hex)", hex, true),
            ("0123456789a", nil, false), ("0123456789abc", nil, false), ("0123456789aG", nil, false), ("x", nil, false),
        ] as [(String, String?, Bool)])
    func ids(text: String, id: String?, isOnlyID: Bool) throws {
        let reference = try ModelReference(parsing: text)
        #expect(reference.id == id)
        #expect(reference.isOnlyID == isOnlyID)
    }

    @Test(arguments: ["", "  ", "a b", "x:", "x:y:z", "../x", "x/../y", "hf.co/", "x@sha256:12", "ä", "/x", "x\0"])
    func refuses(_ text: String) {
        let failure = #expect(throws: Failure.self) { try ModelReference(parsing: text) }
        #expect(failure?.code == .invalidArgument)
    }

    @Test(arguments: [
        ("docker.io/ai/x:latest", "x"), ("docker.io/team/x:latest", "team/x"), ("index.docker.io/ai/x:q", "x:q"),
        ("localhost:5000/ai/x:latest", "localhost:5000/ai/x"), ("sha256:1", "sha256:1"), ("", ""),
    ])
    func displays(tag: String, shown: String) { #expect(ModelReference.display(tag) == shown) }
}
