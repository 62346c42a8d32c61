internal import Core
internal import Hub
package import OCI

/// A model's name as people write it, and the one name it has in the store.
///
/// `smollm2` is `docker.io/ai/smollm2:latest`; `hf.co` is `huggingface.co`; names are lower case, tags keep theirs.
package struct ModelReference: Hashable, Sendable {
    /// The full reference; has a tag, a digest or both.
    package let reference: Reference
    /// What may be an id: all 64 digits, or 12 of them, which can also be a name.
    package let id: String?

    /// - Throws: `.invalidArgument`.
    package init(parsing text: some StringProtocol) throws {
        let typed = Self.trim(String(text))
        if let digest = try? Digest(parsing: typed) {
            id = digest.hex
        } else {
            id = Digest.isHex(typed.utf8, count: 64) || Digest.isHex(typed.utf8, count: 12) ? typed : nil
        }
        // An id is no name; giving it a place to be looked up keeps every caller on one path.
        let name = Self.complete(id.flatMap { $0.utf8.count > 12 ? $0 : nil } ?? typed)
        let parsed = try Reference(parsing: name, typed: typed)
        // Docker's owner of ownerless repositories has no models.
        let library = "library/"
        guard parsed.registry == Reference.defaultRegistry, parsed.repository.hasPrefix(library) else {
            reference = parsed
            return
        }
        let suffix = parsed.description.dropFirst(parsed.registry.count + 1 + library.count)
        reference = try Reference(parsing: "\(parsed.registry)/ai/\(suffix)")
    }

    /// Puts in what people leave out, without judging the result.
    private static func complete(_ text: String) -> String {
        let at = text.firstIndex(of: "@") ?? text.endIndex
        var digest = text[at...]
        var name = text[..<at]
        var tag = ""
        if let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") {
            tag = String(name[colon...])
            name = name[..<colon]
        }
        var lower = name.lowercased()
        if lower.hasPrefix("hf.co/") { lower = "huggingface.co/" + lower.dropFirst(6) }
        if lower.hasPrefix("huggingface.co/") { (tag, digest) = hubTag(tag, digest) }
        if !lower.isEmpty, !lower.contains("/") { lower = "ai/" + lower }
        if tag.isEmpty, digest.isEmpty { tag = ":latest" }
        return lower + tag + digest
    }

    /// Quantisations are written in capitals, however they were typed, so that one model has one name. A revision
    /// becomes a part of the tag: `:Q4_K_M@v1` is `:Q4_K_M-v1`.
    private static func hubTag(_ tag: String, _ digest: Substring) -> (String, Substring) {
        let word = tag.dropFirst()
        let name = Quantization.canonical(String(word)) ?? (word.lowercased() == "latest" ? "latest" : String(word))
        guard digest.count > 1, !digest.contains(":") else { return (tag.isEmpty ? "" : ":\(name)", digest) }
        let revision = String(digest.dropFirst().map { $0 == "/" ? "-" : $0 })
        return (["", "latest"].contains(name) ? ":\(revision)" : ":\(name)-\(revision)", "")
    }

    private static func trim(_ text: String) -> String {
        let start = text.drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }

    /// Whether this can only be an id, which no registry knows.
    package var isOnlyID: Bool { id.map { $0.utf8.count > 12 } ?? false }

    /// `docker.io/ai/smollm2:latest`, as the store's index has it.
    package var canonical: String { reference.description }

    /// `smollm2`
    package var display: String { isOnlyID ? String((id ?? "").prefix(12)) : Self.display(canonical) }

    /// A stored tag without what goes without saying.
    package static func display(_ tag: String) -> String {
        var text = tag[...]
        for prefix in ["docker.io/", "index.docker.io/"] where text.hasPrefix(prefix) {
            text = text.dropFirst(prefix.count)
            break
        }
        if text.hasPrefix("ai/") { text = text.dropFirst(3) }
        if text.hasSuffix(":latest") { text = text.dropLast(7) }
        return String(text)
    }
}
