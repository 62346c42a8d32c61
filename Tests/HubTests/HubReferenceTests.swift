import Core
import Hub
import Testing

@Suite struct HubReferenceTests {
    struct Good: Sendable {
        let text: String
        let repository: String
        var quantization: String?
        var revision: String?
    }

    @Test(arguments: [
        Good(text: "hf.co/Org/Name-GGUF", repository: "Org/Name-GGUF"),
        Good(text: " HF.CO/o/n:latest ", repository: "o/n"),
        Good(text: "huggingface.co/o/n:q4_k_m", repository: "o/n", quantization: "q4_k_m"),
        Good(text: "hf.co/o/n@v1.0", repository: "o/n", revision: "v1.0"),
        Good(text: "hf.co/o/n:Q8_0@refs/pr/1", repository: "o/n", quantization: "Q8_0", revision: "refs/pr/1"),
        Good(text: "hf.co/o.x_y/n--z", repository: "o.x_y/n--z"),
    ])
    func reads(_ good: Good) throws {
        let reference = try HubReference(parsing: good.text)
        #expect(reference.repository == good.repository)
        #expect(reference.quantization == good.quantization)
        #expect(reference.revision == good.revision)
        #expect(try HubReference(parsing: reference.description) == reference)
    }

    @Test(arguments: [
        "hf.co", "hf.co/", "hf.co/o", "hf.co/o/", "hf.co//n", "hf.co/o/n/x", "hf.co/o/n:", "hf.co/o/n@", "hf.co/../n",
        "hf.co/o/n..x", "hf.co/o/n@../x", "hf.co/o/n@a//b", "hf.co/o/n@-x", "hf.co/o/n:a b", "hf.co/o/n?x=1",
        "hf.co/o/ä",
        "hf.co/o/n@sha256:0000000000000000000000000000000000000000000000000000000000000000", "docker.io/o/n", "o/n", "",
        "hf.co.evil/o/n", "hf.co/o/\(String(repeating: "n", count: 97))",
    ])
    func refuses(_ text: String) {
        let failure = #expect(throws: Failure.self) { try HubReference(parsing: text) }
        #expect(failure?.code == .invalidArgument)
    }

    @Test(arguments: [
        ("hf.co/o/n", true), ("HuggingFace.co/o/n", true), ("hf.co", true), ("hf.co.uk/o/n", false),
        ("ai/hf.co", false),
    ])
    func tellsItsOwn(_ text: String, _ expected: Bool) { #expect(HubReference.isHub(text) == expected) }

    @Test func whatStandsBehindTheColonCanBeARevision() throws {
        let name = try HubReference(parsing: "hf.co/o/n:v2")
        #expect(name.withQuantizationAsRevision?.description == "hf.co/o/n@v2")
        #expect(try HubReference(parsing: "hf.co/o/n:v2@main").withQuantizationAsRevision == nil)
    }
}
