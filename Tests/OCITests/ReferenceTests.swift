import Core
import TestSupport
import Testing

@testable import OCI

private let hex = String(repeating: "a1", count: 32)

@Suite struct ReferenceTests {
    struct Good: Sendable {
        let text, registry, repository: String
        let tag: String?
        var digest: Bool = false
    }

    @Test(arguments: [
        Good(text: "x", registry: "docker.io", repository: "library/x", tag: nil),
        Good(text: "x:y", registry: "docker.io", repository: "library/x", tag: "y"),
        Good(text: "ai/x", registry: "docker.io", repository: "ai/x", tag: nil),
        Good(text: "docker.io/ai/x:1", registry: "docker.io", repository: "ai/x", tag: "1"),
        Good(text: "index.docker.io/ai/x", registry: "docker.io", repository: "ai/x", tag: nil),
        Good(text: "docker.io/x", registry: "docker.io", repository: "library/x", tag: nil),
        Good(text: "localhost/x", registry: "localhost", repository: "x", tag: nil),
        Good(text: "localhost:5000/x:y", registry: "localhost:5000", repository: "x", tag: "y"),
        Good(text: "127.0.0.1:5000/a/b/c", registry: "127.0.0.1:5000", repository: "a/b/c", tag: nil),
        Good(text: "[::1]:5000/x:T", registry: "[::1]:5000", repository: "x", tag: "T"),
        Good(text: "[2001:db8::1]/x", registry: "[2001:db8::1]", repository: "x", tag: nil),
        Good(text: "GHCR.io/x/y", registry: "ghcr.io", repository: "x/y", tag: nil),
        Good(text: "MyHost/x", registry: "MyHost", repository: "x", tag: nil),
        Good(text: "a.b/x-y_z.w__v--u", registry: "a.b", repository: "x-y_z.w__v--u", tag: nil),
        Good(text: "huggingface.co/o/n:Q4_K_M", registry: "huggingface.co", repository: "o/n", tag: "Q4_K_M"),
        Good(text: "x@sha256:\(hex)", registry: "docker.io", repository: "library/x", tag: nil, digest: true),
        Good(text: "a.b:1/x:t@sha256:\(hex)", registry: "a.b:1", repository: "x", tag: "t", digest: true),
        Good(
            text: "x:\(String(repeating: "t", count: 128))", registry: "docker.io", repository: "library/x",
            tag: String(repeating: "t", count: 128)),
        Good(text: "x:_t.-", registry: "docker.io", repository: "library/x", tag: "_t.-"),
    ])
    func reads(_ row: Good) throws {
        let reference = try Reference(parsing: row.text)
        #expect(reference.registry == row.registry)
        #expect(reference.repository == row.repository)
        #expect(reference.tag == row.tag)
        #expect((reference.digest != nil) == row.digest)
        #expect(try Reference(parsing: reference.description) == reference)
    }

    @Test(arguments: [
        "", " ", "x ", "X", "ai/X", ":y", "x:", "x:y:z", "/x", "x/", "a//b", "x@", "x@sha256:12", "x@md5:\(hex)",
        "x:-t", "x:.t", "-x", "x-", "x..y", "x._y", "x___y", "a.b:/x", "a.b:0/x", "a.b:99999/x", "a.b:1234567/x",
        "-a.b/x", "a-.b/x", "a..b/x", "[::1/x", "[]/x", "[gg::]/x", "a.b/../x", "./x", "../x", "x/../y", "x y",
        "ä", "x:ä", "https://a.b/x", "user@a.b/x", "x\n", "x\0y", hex, "x@sha256:\(hex.uppercased())",
        "x:\(String(repeating: "t", count: 129))", String(repeating: "x", count: 256),
        String(repeating: "x/", count: 600) + "x",
    ])
    func refuses(_ text: String) {
        let failure = #expect(throws: Failure.self) { try Reference(parsing: text) }
        #expect(failure?.code == .invalidArgument)
    }

    /// Whatever is read must be safe in a path and a header, and read the same again.
    @Test func survivesRandomText() throws {
        var random = SeededRandom(7)
        let alphabet = Array("abcAB019._-:/@[]% \u{e4}\0")
        var read = 0
        for _ in 0..<20000 {
            let text = String(
                (0..<Int.random(in: 1...14, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "x" })
            guard let reference = try? Reference(parsing: text) else { continue }
            read += 1
            #expect(!reference.repository.contains("..") && !reference.repository.contains("//"))
            #expect(reference.description.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
            #expect(try Reference(parsing: reference.description) == reference)
        }
        #expect(read > 100)
    }

    @Test func targetIsDigestThenTagThenLatest() throws {
        #expect(try Reference(parsing: "a.b/x:t@sha256:\(hex)").target == "sha256:\(hex)")
        #expect(try Reference(parsing: "a.b/x:t").target == "t")
        #expect(try Reference(parsing: "a.b/x").target == "latest")
    }
}
