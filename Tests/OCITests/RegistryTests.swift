import AsyncHTTPClient
import Core
import NIOCore
import OCI
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite struct RegistryTests {
    private let layer = ByteBuffer(repeating: 42, count: 300_000)

    @Test func resolvesAndFetches() async throws {
        try await withRegistry { fake, registry in
            let manifest = try fake.publish([layer], "ai/x", tag: "latest")
            let reference = try Reference(parsing: "\(fake.address)/ai/x")
            #expect(try await registry.resolve(reference) == manifest)
            #expect(try await registry.resolve(reference.at(manifest.digest)) == manifest)
            #expect(try await registry.config(of: manifest, in: reference).readableBytes == 28)
            try await withTemporaryDirectory { root in
                let store = BlobStore(root: root)
                let last = Mutex<Int64>(0)
                try await registry.fetchBlob(manifest.layers[0], in: reference, into: store) { count in
                    last.withLock { $0 = count }
                }
                #expect(last.withLock { $0 } == 300_000)
                #expect(try store.read(manifest.layers[0].digest) == layer)
                fake.forgetRequests()
                try await registry.fetchBlob(manifest.layers[0], in: reference, into: store)
                #expect(fake.requests.isEmpty)
            }
        }
    }

    @Test func anAnswerThatTricklesIsGivenUp() async throws {
        try await withRegistry(smallAnswerLimit: .milliseconds(50)) { fake, registry in
            fake.fail("/manifests/latest", with: .unfinished)
            let reference = try Reference(parsing: "\(fake.address)/ai/x")
            let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference) }
            #expect(failure?.code == .timedOut)
            #expect(failure?.description.contains("\(fake.address) has not ended its answer") == true)
        }
    }

    struct Bad: Sendable {
        let fault: FakeRegistry.Fault
        let code: Failure.Code
        let says: String
    }

    @Test(arguments: [
        Bad(fault: .status(401), code: .unauthorized, says: "Unauthorized"),
        Bad(fault: .status(403), code: .forbidden, says: "denied"),
        Bad(fault: .status(404), code: .notFound, says: "not found"),
        Bad(fault: .status(429), code: .resourceExhausted, says: "refuses more requests"),
        Bad(fault: .status(503), code: .unavailable, says: "503"),
        Bad(
            fault: .html, code: .corrupted,
            says: "answered text/html; charset=utf-8 instead of a manifest; is this address"),
        Bad(fault: .corrupted, code: .corrupted, says: "lacks"),
        Bad(fault: .digestHeader("nonsense"), code: .corrupted, says: "no digest"),
        Bad(
            fault: .digestHeader("sha256:" + String(repeating: "0", count: 64)), code: .corrupted,
            says: "sent a manifest"),
        Bad(fault: .redirect("/v2/ai/x/manifests/latest"), code: .unavailable, says: "redirects more than"),
        Bad(fault: .redirect("gopher://x/"), code: .corrupted, says: "redirects to no valid address"),
    ])
    func badManifestAnswers(_ row: Bad) async throws {
        try await withRegistry { fake, registry in
            _ = try fake.publish([layer], "ai/x", tag: "latest")
            fake.fail("/manifests/latest", with: row.fault)
            let reference = try Reference(parsing: "\(fake.address)/ai/x")
            let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference) }
            #expect(failure?.code == row.code)
            #expect(failure?.description.contains(row.says) == true, "\(String(describing: failure))")
            #expect(failure?.description.contains("ai/x") == true)
        }
    }

    @Test(arguments: [
        Bad(fault: .status(404), code: .notFound, says: "not found"),
        Bad(fault: .status(500), code: .unavailable, says: "500"),
        Bad(fault: .corrupted, code: .corrupted, says: "are not those"),
        Bad(fault: .truncated, code: .unavailable, says: "of 300000 bytes: "),
        Bad(fault: .endless, code: .corrupted, says: "more than the 300000 bytes"),
        Bad(fault: .html, code: .unavailable, says: "an HTML page instead of 300000 bytes"),
    ])
    func badBlobAnswersLeaveNothing(_ row: Bad) async throws {
        try await withRegistry { fake, registry in
            let manifest = try fake.publish([layer], "ai/x", tag: "latest")
            fake.fail(manifest.layers[0].digest.description, with: row.fault)
            let reference = try Reference(parsing: "\(fake.address)/ai/x")
            try await withTemporaryDirectory { root in
                let failure = await #expect(throws: Failure.self) {
                    try await registry.fetchBlob(manifest.layers[0], in: reference, into: BlobStore(root: root))
                }
                #expect(failure?.code == row.code)
                #expect(failure?.description.contains(row.says) == true, "\(String(describing: failure))")
                // What came before a connection broke is for the next attempt.
                let kept = try files(root)
                #expect(kept.map { $0.hasSuffix(".incomplete") } == (row.fault == .truncated ? [true] : []))
            }
        }
    }

    @Test func anotherManifestThanTheDigestIsRefused() async throws {
        try await withRegistry { fake, registry in
            let manifest = try fake.publish([layer], "ai/x", tag: "latest")
            let digest = Digest.sha256(of: ByteBuffer(string: "other"))
            fake.add(manifest: manifest.raw, repository: "ai/x", tag: digest.description)
            let reference = try Reference(parsing: "\(fake.address)/ai/x@\(digest)")
            let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference) }
            #expect(failure?.code == .corrupted)
        }
    }

    @Test func getsATokenOnceAndUsesItAgain() async throws {
        try await withRegistry { fake, registry in
            let manifest = try fake.publish([layer], "ai/x", tag: "latest")
            fake.requireToken("s3cret-token")
            let reference = try Reference(parsing: "\(fake.address)/ai/x")
            #expect(try await registry.resolve(reference) == manifest)
            #expect(try await registry.config(of: manifest, in: reference).readableBytes == 28)
            #expect(fake.requests.filter { $0 == "GET /token" }.count == 1)
            // A token that is no longer taken is replaced.
            fake.requireToken("another-token")
            #expect(try await registry.resolve(reference) == manifest)
            #expect(fake.requests.filter { $0 == "GET /token" }.count == 2)
        }
    }

    @Test(arguments: ["http://example.invalid/token", "ftp://x/", "nonsense"])
    func tokensAreNotFetchedFromAnywhere(_ realm: String) async throws {
        try await withRegistry { fake, registry in
            _ = try fake.publish([layer], "ai/x", tag: "latest")
            fake.requireToken("t", realm: realm)
            let reference = try Reference(parsing: "\(fake.address)/ai/x")
            let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference) }
            #expect(failure?.code == .forbidden)
        }
    }

    @Test func aRedirectElsewhereDoesNotGetTheToken() async throws {
        try await withRegistry { fake, registry in
            try await FakeRegistry.run { storage in
                let manifest = try fake.publish([layer], "ai/x", tag: "latest")
                let digest = manifest.layers[0].digest
                storage.add(blob: layer)
                // It would take the token, and asks for one where none comes along.
                storage.requireToken("s3cret-token", realm: "nonsense")
                fake.requireToken("s3cret-token")
                fake.fail(digest.description, with: .redirect("http://\(storage.address)/v2/s/blobs/\(digest)"))
                let reference = try Reference(parsing: "\(fake.address)/ai/x")
                try await withTemporaryDirectory { root in
                    let failure = await #expect(throws: Failure.self) {
                        try await registry.fetchBlob(manifest.layers[0], in: reference, into: BlobStore(root: root))
                    }
                    #expect(failure?.code == .forbidden || failure?.code == .unauthorized)
                    #expect(storage.requests.first == "GET /v2/s/blobs/\(digest)")
                }
            }
        }
    }

    @Test func followsARedirectToOpenStorage() async throws {
        try await withRegistry { fake, registry in
            try await FakeRegistry.run { storage in
                let manifest = try fake.publish([layer], "ai/x", tag: "latest")
                let digest = manifest.layers[0].digest
                storage.add(blob: layer)
                fake.fail(digest.description, with: .redirect("http://\(storage.address)/v2/s/blobs/\(digest)"))
                try await withTemporaryDirectory { root in
                    let store = BlobStore(root: root)
                    let reference = try Reference(parsing: "\(fake.address)/ai/x")
                    try await registry.fetchBlob(manifest.layers[0], in: reference, into: store)
                    #expect(try store.read(digest) == layer)
                }
            }
        }
    }

    @Test func pushesBlobsAndManifest() async throws {
        try await withRegistry { fake, registry in
            fake.requireToken("t0ken")
            try await withTemporaryDirectory { root in
                let store = BlobStore(root: root)
                let digest = try store.store(layer)
                let blob = Descriptor(mediaType: MediaType.gguf, digest: digest, size: 300_000)
                let reference = try Reference(parsing: "\(fake.address)/ai/y:v1")
                #expect(try await registry.blobExists(blob, in: reference) == false)
                try await registry.pushBlob(blob, file: store.path(of: digest), to: reference)
                #expect(fake.blobs[digest.description] == layer)
                #expect(try await registry.blobExists(blob, in: reference))
                fake.forgetRequests()
                try await registry.pushBlob(blob, file: store.path(of: digest), to: reference)
                #expect(fake.requests == ["HEAD /v2/ai/y/blobs/\(digest)"])
                let manifest = Manifest(config: blob, layers: [blob])
                try await registry.pushManifest(manifest, to: reference)
                #expect(fake.manifest("ai/y", "v1") == manifest.raw)
            }
        }
    }

    @Test func aRefusedUploadSaysSo() async throws {
        try await withRegistry { fake, registry in
            try await withTemporaryDirectory { root in
                let store = BlobStore(root: root)
                let digest = try store.store(layer)
                let blob = Descriptor(mediaType: MediaType.gguf, digest: digest, size: 300_000)
                fake.fail("/uploads/", with: .status(403))
                let failure = await #expect(throws: Failure.self) {
                    try await registry.pushBlob(
                        blob, file: store.path(of: digest), to: Reference(parsing: "\(fake.address)/ai/y"))
                }
                #expect(failure?.code == .forbidden)
            }
        }
    }

    @Test func nobodyListening() async throws {
        // A port that was in use a moment ago and no longer is.
        let port = Port()
        try await FakeRegistry.run { await port.set($0.address) }
        try await withRegistry { _, registry in
            let address = await port.address
            let failure = await #expect(throws: Failure.self) {
                try await registry.resolve(Reference(parsing: "\(address)/ai/x"))
            }
            #expect(failure?.code == .unavailable)
            #expect(
                failure?.description.contains("cannot reach the registry at \(address): Connection refused") == true)
        }
    }

    private actor Port {
        private(set) var address = ""
        func set(_ address: String) { self.address = address }
    }
}
