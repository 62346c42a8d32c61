internal import Core
internal import OCI

/// The ways from a name to an entry of the index, made once for an index: a request must not walk over all models.
struct StoreLookup: Sendable {
    let index: StoreIndex
    private var tags: [String: Int] = [:]
    /// By the first 12 digits, which is what an id has at least.
    private var ids: [Substring: Int] = [:]
    private var digests: [Digest: Int] = [:]
    private var lastParts: [Substring: [Int]] = [:]

    init(_ index: StoreIndex) {
        self.index = index
        for (place, entry) in index.entries.enumerated() {
            digests[entry.id] = digests[entry.id] ?? place
            let start = entry.id.hex.prefix(12)
            ids[start] = ids[start] ?? place
            for tag in entry.tags {
                tags[tag] = tags[tag] ?? place
                let last = tag[(tag.lastIndex(of: "/").map { tag.index(after: $0) } ?? tag.startIndex)...]
                for part in [last, last.prefix { $0 != ":" && $0 != "@" }] where lastParts[part]?.last != place {
                    lastParts[part, default: []].append(place)
                }
            }
        }
        // Older stores have shorter names in them, which stand behind the full ones.
        for (place, entry) in index.entries.enumerated() {
            for tag in entry.tags where !StoreIndex.isCanonical(tag) {
                guard let name = try? ModelReference(parsing: tag).canonical else { continue }
                tags[name] = tags[name] ?? place
            }
        }
    }

    /// The entry a full name or an id stands for; the same one that `StoreIndex.entry(for:)` finds.
    func entry(for name: ModelReference) -> StoreIndex.Entry? {
        if let id = name.id, let place = ids[id.prefix(12)] {
            if index.entries[place].id.hex.hasPrefix(id) { return index.entries[place] }
            // Two models whose first digits are the same: rare enough to look at all.
            return index.entry(for: name)
        }
        if name.isOnlyID { return nil }
        if let digest = name.reference.digest { return digests[digest].map { index.entries[$0] } }
        return tags[name.canonical].map { index.entries[$0] }
    }

    /// The entry one of whose tags ends in this last path component.
    ///
    /// - Throws: `.conflict` where there are several.
    func entry(partial name: String) throws -> StoreIndex.Entry? {
        try StoreIndex.only(lastParts[name[...], default: []].map { index.entries[$0] }, named: name)
    }
}
