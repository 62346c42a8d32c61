internal import Core
package import NIOCore
internal import OCI

/// A model as one tar archive: `blobs/sha256/…` for each layer and the configuration, `manifest.json` last.
///
/// Every iteration reads the files anew, a mebibyte at a time, and fails when one is not what its digest says.
package struct ModelArchive: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    static let manifestName = "manifest.json"
    /// The name a model was saved under is kept in a pax comment, which every other reader passes over.
    private static let comment = "comment"
    private static let tagMark = "wharf.tag="

    /// The name that the manifest's entry keeps.
    static func tag(in entry: Tar.Entry) -> String? {
        guard let text = entry.records[comment], text.hasPrefix(tagMark) else { return nil }
        return String(text.dropFirst(tagMark.count))
    }

    fileprivate enum Piece: Sendable {
        case bytes(ByteBuffer)
        case blob(Descriptor)
    }

    private let blobs: BlobStore
    private let pieces: [Piece]
    /// Bytes of the whole archive.
    package let size: Int64

    /// - Parameter tag: the canonical name to be loaded under; nil for none.
    init(_ model: Model, tag: String?, in blobs: BlobStore) {
        self.blobs = blobs
        var pieces: [Piece] = []
        var seen = Set<Digest>()
        let files = (model.manifest.layers + [model.manifest.config]).filter { seen.insert($0.digest).inserted }
        let algorithms = Set(files.map(\.digest.algorithm.rawValue)).sorted()
        for folder in ["blobs/"] + algorithms.map({ "blobs/\($0)/" }) {
            pieces.append(.bytes(Tar.head(Tar.Entry(name: folder, size: 0, isDirectory: true))))
        }
        for file in files {
            let name = "blobs/\(file.digest.algorithm.rawValue)/\(file.digest.hex)"
            pieces.append(.bytes(Tar.head(Tar.Entry(name: name, size: file.size))))
            pieces.append(.blob(file))
            pieces.append(.bytes(Tar.padding(after: file.size)))
        }
        let manifest = model.manifest.raw
        let size = Int64(manifest.readableBytes)
        let records = tag.map { [Self.comment: Self.tagMark + $0] } ?? [:]
        pieces.append(.bytes(Tar.head(Tar.Entry(name: Self.manifestName, size: size, records: records))))
        pieces += [.bytes(manifest), .bytes(Tar.padding(after: size)), .bytes(Tar.end)]
        self.pieces = pieces
        self.size = pieces.reduce(0) { total, piece in
            switch piece {
            case .bytes(let bytes): total + Int64(bytes.readableBytes)
            case .blob(let file): total + file.size
            }
        }
    }

    package func makeAsyncIterator() -> Iterator { Iterator(blobs: blobs, pieces: pieces[...]) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let blobs: BlobStore
        fileprivate var pieces: ArraySlice<Piece>
        private var file: OpenBlob?

        fileprivate init(blobs: BlobStore, pieces: ArraySlice<Piece>) {
            self.blobs = blobs
            self.pieces = pieces
        }

        /// - Throws: `.corrupted` when a file is missing or has changed.
        package mutating func next() async throws -> ByteBuffer? {
            while true {
                if file != nil {
                    if let chunk = try await file?.next() { return chunk }
                    file = nil
                }
                switch pieces.popFirst() {
                case nil: return nil
                case .blob(let blob): file = OpenBlob(blob, in: blobs)
                case .bytes(let bytes): if bytes.readableBytes > 0 { return bytes }
                }
            }
        }
    }
}

/// A blob on its way out, hashed as it goes.
private struct OpenBlob {
    private let blob: Descriptor
    private var chunks: FileChunks.Iterator
    private var hasher: Digest.Hasher
    private var count: Int64 = 0

    init(_ blob: Descriptor, in store: BlobStore) {
        self.blob = blob
        chunks = FileChunks(store.path(of: blob.digest)).makeAsyncIterator()
        hasher = Digest.Hasher(blob.digest.algorithm)
    }

    mutating func next() async throws -> ByteBuffer? {
        let chunk = try await chunks.next()
        count += Int64(chunk?.readableBytes ?? 0)
        if let chunk { hasher.update(chunk) }
        guard count <= blob.size, chunk != nil || (count == blob.size && hasher.finalize() == blob.digest) else {
            throw Failure(
                .corrupted, "\(blob.digest) has changed since it was stored",
                advice: "Remove the model with docker model rm and pull it again")
        }
        return chunk
    }
}

extension ModelStore {
    /// The archive of a stored model, which keeps the name it was asked for by; an id keeps none.
    ///
    /// - Throws: `.notFound`.
    package func archive(of name: String) throws -> ModelArchive {
        let model = try model(named: name)
        let reference = try ModelReference(parsing: name)
        let tag = model.tags.first { $0 == reference.canonical } ?? (reference.id == nil ? model.tags.first : nil)
        return ModelArchive(model, tag: reference.reference.digest == nil ? tag : nil, in: blobs)
    }
}
