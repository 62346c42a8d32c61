import Core
import NIOCore
import OCI
import SystemPackage
import TestSupport
import Testing

extension Integration {
    /// A pull outlives the daemon that does it.
    @Suite(.enabled(if: RealParts.isThere, "needs the test environment"), .timeLimit(.minutes(2)))
    struct PullAfterKillTests {
        private static let size = 3_000_000
        /// What the registry sends before it falls silent.
        private static let sent = 2_000_000
        /// Bytes that may be on their way to the disk: what is sent again.
        private static let underWay = 1 << 20

        private func manifest(_ config: String, _ blob: String) -> Manifest {
            func describe(_ text: String, _ type: String) -> Descriptor {
                let bytes = ByteBuffer(string: text)
                return Descriptor(
                    mediaType: type, digest: Digest.sha256(of: bytes), size: Int64(bytes.readableBytes))
            }
            return Manifest(
                config: describe(config, MediaType.modelConfig), layers: [describe(blob, MediaType.gguf)])
        }

        @Test func theNextDaemonGoesOnWhereTheKilledOneWas() async throws {
            let config = #"{"config":{"format":"gguf"},"descriptor":{"created":"2026-01-02T03:04:05Z"}}"#
            let blob = String(repeating: "weights of a model\n", count: Self.size / 19)
            let manifest = manifest(config, blob)
            let script: ScriptedServer.Script = { request in
                if request.path.contains("/manifests/") {
                    return .http(200, [("Content-Type", MediaType.manifest)], String(buffer: manifest.raw))
                }
                if request.path.hasSuffix("\(manifest.config.digest)") { return .http(200, [], config) }
                guard let range = request.header("Range") else {
                    return .stall(
                        "HTTP/1.1 200 OK\r\nContent-Length: \(blob.utf8.count)\r\n\r\n\(blob.prefix(Self.sent))")
                }
                let start = Int(range.dropFirst(6).dropLast()) ?? 0
                let place = "bytes \(start)-\(blob.utf8.count - 1)/\(blob.utf8.count)"
                return .http(206, [("Content-Range", place)], String(blob.dropFirst(start)))
            }
            try await ScriptedServer.run(script) { server in
                try await Workplace.with { place in
                    let partial = place.models.appending(
                        "blobs/sha256/\(manifest.layers[0].digest.hex).incomplete")
                    async let pull = place.model("pull", "\(server.address)/team/x")
                    try await eventually("the first bytes are on the disk") {
                        ((try? POSIX.status(partial).size) ?? 0) >= Self.sent - Self.underWay
                    }
                    let first = try #require(place.daemonPID)
                    POSIX.send(signal: 9, to: first)
                    let outcome = try await pull
                    #expect(outcome.status == 0, "\(outcome.text)")
                    #expect(outcome.out.hasSuffix("Model pulled successfully\n"), "\(outcome.text)")
                    #expect(outcome.err.contains("trying again in 1 s"), "\(outcome.text)")
                    #expect(place.daemonPID != first)
                    let ranges = server.requests.filter { $0.path.contains("\(manifest.layers[0].digest)") }
                        .map { $0.header("Range") }
                    #expect(ranges.count == 2 && ranges[0] == nil)
                    let offset = Int(ranges.last??.dropFirst(6).dropLast() ?? "") ?? 0
                    #expect((Self.sent - Self.underWay...Self.sent).contains(offset), "\(ranges)")
                    let file = place.models.appending("blobs/sha256/\(manifest.layers[0].digest.hex)")
                    #expect(try Digest.sha256(of: Files.read(file)) == manifest.layers[0].digest)
                }
            }
        }
    }
}
