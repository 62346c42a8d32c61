import Core
import NIOCore
import OCI
import Testing

@Suite struct ManifestTests {
    private static let digest = "sha256:" + String(repeating: "ab", count: 32)

    private static func text(_ layers: String, version: String = "2", extra: String = "") -> String {
        """
        {"schemaVersion":\(version),"mediaType":"\(MediaType.manifest)"\(extra),"config":{"mediaType":"c","digest":\
        "\(digest)","size":2},"layers":\(layers)}
        """
    }

    private static func layer(size: String = "3", digest: String = digest) -> String {
        "{\"mediaType\":\"l\",\"digest\":\"\(digest)\",\"size\":\(size),\"annotations\":{\"a\":\"b\"}}"
    }

    @Test func keepsTheBytesItCameIn() throws {
        let raw = ByteBuffer(string: " " + Self.text("[\(Self.layer())]", extra: ",\"artifactType\":\"t\"") + "\n")
        let manifest = try Manifest(parsing: raw)
        #expect(manifest.raw == raw)
        #expect(manifest.digest == .sha256(of: raw))
        #expect(manifest.artifactType == "t")
        #expect(manifest.config.size == 2)
        #expect(manifest.layers.map(\.annotations) == [["a": "b"]])
        #expect(manifest.layersSize == 3)
    }

    @Test func writesWhatItReads() throws {
        let config = Descriptor(mediaType: "c", digest: try Digest(parsing: Self.digest), size: 1)
        let layer = Descriptor(
            mediaType: "l", digest: config.digest, size: 2, annotations: ["b": "2", "a": "1", "c": "\"\n"])
        let manifest = Manifest(config: config, layers: [layer, layer])
        let read = try Manifest(parsing: manifest.raw)
        #expect(read == manifest)
        #expect(manifest.raw == Manifest(config: config, layers: [layer, layer]).raw)
    }

    @Test(arguments: [
        "", "null", "[]", "{}", "<html></html>", "{\"schemaVersion\":2}", text("{}"), text("[]", version: "1"),
        text("[{}]"), text("[\(layer(size: "-1"))]"), text("[\(layer(size: "1.5"))]"),
        text("[\(layer(size: "\"1\""))]"),
        text("[\(layer(digest: "sha256:../../x"))]"), text("[null]"),
        text("[\(layer(size: "9223372036854775807")),\(layer(size: "9223372036854775807"))]"),
        text("[" + Array(repeating: layer(), count: 4097).joined(separator: ",") + "]"),
        text("[\(layer(size: "99999999999999999999"))]"),
    ])
    func refuses(_ text: String) {
        let failure = #expect(throws: Failure.self) { try Manifest(parsing: ByteBuffer(string: text)) }
        #expect(failure?.code == .corrupted)
    }

    @Test func refusesAnIndex() {
        let text = "{\"schemaVersion\":2,\"mediaType\":\"\(MediaType.index)\",\"manifests\":[]}"
        let failure = #expect(throws: Failure.self) { try Manifest(parsing: ByteBuffer(string: text)) }
        #expect(failure?.code == .unsupported)
    }

    @Test func refusesOneThatIsTooLarge() {
        let raw = ByteBuffer(repeating: UInt8(ascii: " "), count: Manifest.maximumBytes + 1)
        #expect(throws: Failure.self) { try Manifest(parsing: raw) }
    }
}
