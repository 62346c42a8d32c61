internal import Core
internal import NIOCore
internal import OCI

/// The content of `models.json`: which models there are, by which names, and which blobs they need.
struct StoreIndex: Hashable, Sendable {
    struct Entry: Hashable, Sendable {
        let id: Digest
        var tags: [String]
        /// Layers, then the configuration.
        var files: [Digest]
    }

    var entries: [Entry] = []

    init() {}

    /// - Throws: `.corrupted` for anything that is not such an index.
    init(parsing bytes: ByteBuffer) throws {
        guard let json = try? JSON(parsing: bytes), let models = json["models"], models.isNull || models.array != nil
        else { throw Failure(.corrupted, "it is not an index of models") }
        entries = try (models.array ?? []).map { model in
            guard let id = model["id"]?.string else { throw Failure(.corrupted, "a model has no id") }
            return Entry(
                id: try Digest(parsing: id), tags: model["tags"]?.array?.compactMap(\.string) ?? [],
                files: try model["files"]?.array?.map { try Digest(parsing: $0.string ?? "") } ?? [])
        }
    }

    var bytes: ByteBuffer {
        let models: [JSON] = entries.map { entry in
            [
                "id": .string(entry.id.description), "tags": .array(entry.tags.map { .string($0) }),
                "files": .array(entry.files.map { .string($0.description) }),
            ]
        }
        let document: JSON = ["models": .array(models)]
        return ByteBuffer(string: document.text(indent: 2))
    }

    /// The entry a full name or an id stands for.
    func entry(for name: ModelReference) -> Entry? {
        if let id = name.id, let entry = entries.first(where: { $0.id.hex.hasPrefix(id) }) { return entry }
        if name.isOnlyID { return nil }
        if let digest = name.reference.digest { return entries.first { $0.id == digest } }
        let canonical = name.canonical
        return entries.first { $0.tags.contains(canonical) }
            ?? entries.first { $0.tags.contains { Self.normalized($0) == canonical } }
    }

    /// The entries one of whose tags ends in this last path component: `x` for `registry/team/x:tag`.
    func entries(partial name: String) -> [Entry] {
        entries.filter { entry in
            entry.tags.contains { tag in
                let last = tag.split(separator: "/").last ?? ""
                return last == name || last.prefix { $0 != ":" && $0 != "@" } == name
            }
        }
    }

    /// - Throws: `.conflict` for a part of a name that several models share.
    static func only(_ found: [Entry], named name: String) throws -> Entry? {
        guard found.count > 1 else { return found.first }
        let names = found.prefix(5).compactMap(\.tags.first).map { ModelReference.display($0) }
        throw Failure(
            .conflict, "\"\(name)\" may be \(names.joined(separator: " or "))", advice: "Give the model's whole name")
    }

    /// Older stores have shorter names in them.
    private static func normalized(_ tag: String) -> String? {
        isCanonical(tag) ? tag : try? ModelReference(parsing: tag).canonical
    }

    /// Whether a tag is surely written as it would be today; telling so is much cheaper than reading it.
    static func isCanonical(_ tag: String) -> Bool {
        guard tag.hasPrefix("docker.io/ai/") else { return false }
        let name = tag.utf8.prefix { $0 != UInt8(ascii: ":") }
        return name.count < tag.utf8.count && !name.contains { (65...90).contains($0) || $0 == UInt8(ascii: "@") }
    }

    /// Adds a model, or refreshes what it needs.
    mutating func add(_ id: Digest, files: [Digest]) {
        if let place = entries.firstIndex(where: { $0.id == id }) {
            entries[place].files = files
        } else {
            entries.append(Entry(id: id, tags: [], files: files))
        }
    }

    /// Gives a model a name, taken from whoever had it.
    mutating func tag(_ id: Digest, as canonical: String) {
        untag(canonical, except: id)
        guard let place = entries.firstIndex(where: { $0.id == id }), !entries[place].tags.contains(canonical) else {
            return
        }
        entries[place].tags.append(canonical)
    }

    /// Takes a name away; the tags as they were stored.
    @discardableResult
    mutating func untag(_ canonical: String, except id: Digest? = nil) -> [String] {
        var removed: [String] = []
        for place in entries.indices where entries[place].id != id {
            let matching = entries[place].tags.filter { $0 == canonical || Self.normalized($0) == canonical }
            entries[place].tags.removeAll { matching.contains($0) }
            removed += matching
        }
        return removed
    }

    /// Takes a model out; the blobs nobody else needs.
    mutating func remove(_ id: Digest) -> [Digest] {
        let files = entries.filter { $0.id == id }.flatMap(\.files)
        entries.removeAll { $0.id == id }
        let needed = Set(entries.flatMap(\.files))
        return Set(files).subtracting(needed).sorted()
    }
}
