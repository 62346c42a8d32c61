internal import Core
package import OCI

extension ModelStore {
    /// What `remove` did, in order.
    package enum Removal: Hashable, Sendable {
        /// A canonical name.
        case untagged(String)
        case deleted(Digest)
    }

    /// Takes a name away; with its last name, or by its id, the model goes with all files nobody else needs.
    ///
    /// - Parameter force: whether an id removes a model that has several names.
    /// - Throws: `.notFound`; `.conflict` for an id with several names without force.
    @discardableResult
    package func remove(named name: String, force: Bool = false) throws -> [Removal] {
        let reference = try ModelReference(parsing: name)
        let (removals, id, files) = try change { index -> ([Removal], Digest?, [Digest]) in
            guard let entry = index.entry(for: reference) else {
                throw Self.notFound(name, near: index.entries(partial: name))
            }
            if Self.isTag(reference, of: entry) {
                let removed = index.untag(reference.canonical).map { Removal.untagged($0) }
                if index.entry(with: entry.id)?.tags.isEmpty == false { return (removed, nil, []) }
                return (removed + [.deleted(entry.id)], entry.id, index.remove(entry.id))
            }
            guard entry.tags.count <= 1 || force else {
                throw Failure(
                    .conflict, "\(name) has several names (\(entry.tags.joined(separator: ", ")))",
                    advice: "Remove one of them, or all with --force")
            }
            let removed = entry.tags.map { Removal.untagged($0) } + [.deleted(entry.id)]
            return (removed, entry.id, index.remove(entry.id))
        }
        if let id { try discard(id, files: files) }
        return removals
    }

    /// Whether the reference found the entry by one of its tags, and not by its id.
    private static func isTag(_ reference: ModelReference, of entry: StoreIndex.Entry) -> Bool {
        if let id = reference.id, entry.id.hex.hasPrefix(id) { return false }
        return reference.reference.digest == nil
    }

    /// Removes a model's files after its entry, unless somebody has taken them into use again since.
    private func discard(_ id: Digest, files: [Digest]) throws {
        try change { index in
            if index.entry(with: id) == nil {
                try Files.remove(bundlePath(id))
                try manifests.remove(id)
            }
            let needed = try Set(index.entries.flatMap(\.files)).union(leased())
            for file in files where !needed.contains(file) { try blobs.remove(file) }
        }
    }

    /// Removes blobs that no model needs and nobody is fetching.
    func removeUnneeded(_ candidates: [Digest]) throws {
        try change { index in
            let needed = try Set(index.entries.flatMap(\.files)).union(leased())
            for blob in candidates where !needed.contains(blob) { try blobs.remove(blob) }
        }
    }

    /// Gives a stored model one more name, taken from the model that had it.
    ///
    /// - Throws: `.notFound`; `.invalidArgument` when the new name is an id or a digest.
    @discardableResult
    package func tag(_ source: String, as target: ModelReference) throws -> Model {
        let canonical = try Self.tagName(target)
        let reference = try ModelReference(parsing: source)
        let entry = try change { index in
            let near = index.entries(partial: source)
            guard let entry = try index.entry(for: reference) ?? StoreIndex.only(near, named: source) else {
                throw Self.notFound(source)
            }
            index.tag(entry.id, as: canonical)
            return index.entry(with: entry.id) ?? entry
        }
        return try model(entry)
    }

    /// - Throws: `.invalidArgument` when a reference cannot be a model's name in the store.
    static func tagName(_ reference: ModelReference) throws -> String {
        guard !reference.isOnlyID, reference.reference.tag != nil else {
            throw Failure(.invalidArgument, "invalid tag: \(reference.canonical) is an id or a digest")
        }
        let name = reference.reference
        return "\(name.name):\(name.tag ?? "latest")"
    }

    /// Makes a model known whose blobs are all there; the index is written last.
    ///
    /// - Returns: nil when another process has removed a blob meanwhile.
    func register(_ manifest: Manifest, tag: String?) throws -> Model? {
        let files = (manifest.layers + [manifest.config]).reduce(into: [Digest]()) { files, file in
            if !files.contains(file.digest) { files.append(file.digest) }
        }
        let entry = try change { index -> StoreIndex.Entry? in
            guard isComplete(manifest) else { return nil }
            try manifests.store(manifest.raw)
            index.add(manifest.digest, files: files)
            if let tag { index.tag(manifest.digest, as: tag) }
            return index.entry(with: manifest.digest)
        }
        return try entry.map { try model($0) }
    }

    /// Whether every blob a manifest names is there.
    func isComplete(_ manifest: Manifest) -> Bool {
        (manifest.layers + [manifest.config]).allSatisfy { blobs.contains($0.digest, size: $0.size) }
    }
}

extension StoreIndex {
    func entry(with id: Digest) -> Entry? { entries.first { $0.id == id } }
}
