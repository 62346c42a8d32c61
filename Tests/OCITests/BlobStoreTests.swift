import Core
import NIOCore
import OCI
import SystemPackage
import Testing

@Suite struct BlobStoreTests {
    private let bytes = ByteBuffer(string: "some bytes")

    @Test func storesUnderTheDigest() async throws {
        try await withTemporaryDirectory { root in
            let store = BlobStore(root: root)
            let digest = Digest.sha256(of: bytes)
            var ingest = try Ingest(into: store, expecting: (digest, 10))
            try ingest.write(ByteBuffer(string: "some "))
            #expect(!store.contains(digest))
            try ingest.write(ByteBuffer(string: "bytes"))
            try await ingest.commit()
            #expect(store.contains(digest, size: 10))
            #expect(!store.contains(digest, size: 11))
            #expect(try store.read(digest) == bytes)
            #expect(try files(root) == ["blobs/sha256/\(digest.hex)"])
        }
    }

    @Test(arguments: ["some byteS", "some", "some bytes and more", ""])
    func keepsNothingOfWrongBytes(_ text: String) async throws {
        try await withTemporaryDirectory { root in
            let store = BlobStore(root: root)
            let failure = await #expect(throws: Failure.self) {
                var ingest = try Ingest(into: store, expecting: (.sha256(of: bytes), 10))
                try ingest.write(ByteBuffer(string: text))
                try await ingest.commit()
            }
            let left = try files(root)
            #expect(failure?.code == .corrupted)
            #expect(left.isEmpty)
        }
    }

    @Test func stopsAtTheFirstByteTooMany() async throws {
        try await withTemporaryDirectory { root in
            var ingest = try Ingest(into: BlobStore(root: root), expecting: (.sha256(of: bytes), 10))
            try ingest.write(bytes)
            var refused = false
            do { try ingest.write(ByteBuffer(string: "x")) } catch { refused = true }
            #expect(refused)
        }
    }

    @Test func verifiesSHA512() async throws {
        try await withTemporaryDirectory { root in
            let store = BlobStore(root: root)
            let digest = Digest.of(bytes, .sha512)
            var ingest = try Ingest(into: store, expecting: (digest, 10))
            try ingest.write(bytes)
            try await ingest.commit()
            #expect(try store.read(digest) == bytes)
        }
    }

    @Test func copiesALargeFileInChunks() async throws {
        try await withTemporaryDirectory { root in
            let large = ByteBuffer(repeating: 7, count: FileChunks.chunk * 2 + 5)
            try Files.write(large, to: root.appending("file"))
            let store = BlobStore(root: root)
            let (digest, size) = try await store.store(file: root.appending("file"))
            #expect(size == Int64(large.readableBytes))
            #expect(digest == .sha256(of: large))
            #expect(try store.read(digest, limit: 8 << 20) == large)
            var sizes: [Int] = []
            for try await chunk in FileChunks(root.appending("file")) { sizes.append(chunk.readableBytes) }
            #expect(sizes == [FileChunks.chunk, FileChunks.chunk, 5])
        }
    }

    @Test func noticesAChangedBlob() async throws {
        try await withTemporaryDirectory { root in
            let store = BlobStore(root: root)
            let digest = try store.store(bytes)
            try Files.write(ByteBuffer(string: "other byte"), to: store.path(of: digest))
            let failure = #expect(throws: Failure.self) { try store.read(digest) }
            #expect(failure?.code == .corrupted)
        }
    }
}
