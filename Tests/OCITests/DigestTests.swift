import Core
import NIOCore
import OCI
import Testing

@Suite struct DigestTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func knownHashes(text: String, hex: String) throws {
        let digest = Digest.sha256(of: ByteBuffer(string: text))
        #expect(digest.hex == hex)
        #expect(digest.description == "sha256:\(hex)")
        #expect(try Digest(parsing: digest.description) == digest)
    }

    @Test func piecesHashLikeTheWhole() {
        for algorithm in Digest.Algorithm.allCases {
            var hasher = Digest.Hasher(algorithm)
            for piece in ["a", "", "bc"] { hasher.update(ByteBuffer(string: piece)) }
            #expect(hasher.finalize() == Digest.of(ByteBuffer(string: "abc"), algorithm))
        }
    }

    @Test func readsSHA512() throws {
        let text = "sha512:" + String(repeating: "0f", count: 64)
        #expect(try Digest(parsing: text).description == text)
    }

    @Test(arguments: [
        "", "sha256", "sha256:", "sha256:abc", "md5:" + String(repeating: "a", count: 32),
        "sha256:" + String(repeating: "A", count: 64), "sha256:" + String(repeating: "g", count: 64),
        "sha256:" + String(repeating: "a", count: 65), "sha512:" + String(repeating: "a", count: 64),
        "sha256:../" + String(repeating: "a", count: 61), "sha256:" + String(repeating: "é", count: 64),
    ])
    func refuses(_ text: String) {
        #expect(throws: Failure.self) { try Digest(parsing: text) }
    }
}
