internal import Core

/// The place of an artifact: `registry/repository[:tag][@digest]`, read by docker's grammar.
///
/// Where no registry is named it is `docker.io`, whose repositories without an owner belong to `library`.
package struct Reference: Hashable, Sendable {
    /// `host[:port]`
    package let registry: String
    package let repository: String
    package let tag: String?
    package let digest: Digest?

    package static let defaultRegistry = "docker.io"

    /// - Parameter typed: what a person wrote, where it was completed before, for the error.
    /// - Throws: `.invalidArgument` that names the part which breaks the grammar.
    package init(parsing text: some StringProtocol, typed: String? = nil) throws {
        let text = String(text)
        func refuse(_ why: String) -> Failure {
            Failure(
                .invalidArgument, "invalid reference \"\((typed ?? text).prefix(120))\": \(why)",
                advice: "Write it as [HOST[:PORT]/]NAME[:TAG][@DIGEST] with a lower-case name")
        }
        guard !text.isEmpty else { throw refuse("it is empty") }
        guard text.utf8.count <= ReferenceGrammar.maximumText else { throw refuse("it is too long") }
        var rest = text[...]
        if let at = rest.firstIndex(of: "@") {
            do { digest = try Digest(parsing: rest[rest.index(after: at)...]) } catch { throw refuse("bad digest") }
            rest = rest[..<at]
        } else {
            digest = nil
        }
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            let tag = rest[rest.index(after: colon)...]
            guard ReferenceGrammar.isTag(tag.utf8) else { throw refuse("bad tag") }
            self.tag = String(tag)
            rest = rest[..<colon]
        } else {
            tag = nil
        }
        let (registry, path) = Self.split(rest)
        guard ReferenceGrammar.isRegistry(registry) else { throw refuse("bad registry address") }
        let isHub = registry == Self.defaultRegistry || registry == "index.\(Self.defaultRegistry)"
        let repository = isHub && !path.contains("/") ? "library/\(path)" : String(path)
        guard ReferenceGrammar.isRepository(repository) else {
            throw refuse(path.contains(where: \.isUppercase) ? "the name must be lower case" : "bad name")
        }
        guard !Digest.isHex(rest.utf8, count: 64) else { throw refuse("64 hex digits are an id, not a name") }
        self.registry = isHub ? Self.defaultRegistry : registry
        self.repository = repository
    }

    /// Parts that have been through the grammar already.
    private init(registry: String, repository: String, tag: String?, digest: Digest?) {
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// A first component with a dot, a colon or capitals, or `localhost`, is a registry.
    private static func split(_ name: Substring) -> (registry: String, path: Substring) {
        guard let slash = name.firstIndex(of: "/") else { return (defaultRegistry, name) }
        let first = name[..<slash]
        guard first == "localhost" || first.contains(where: { $0 == "." || $0 == ":" || $0.isUppercase }) else {
            return (defaultRegistry, name)
        }
        // Hosts know no case, but a bare name with capitals would stop being a host without them.
        let host = first.contains { $0 == "." || $0 == ":" } ? first.lowercased() : String(first)
        return (host, name[name.index(after: slash)...])
    }

    /// What a registry is asked for: the digest, else the tag, else `latest`.
    package var target: String { digest?.description ?? tag ?? "latest" }

    /// The same repository without tag and digest: `docker.io/library/x`.
    package var name: String { "\(registry)/\(repository)" }

    /// The same repository at this digest.
    package func at(_ digest: Digest) -> Reference {
        Reference(registry: registry, repository: repository, tag: nil, digest: digest)
    }
}

extension Reference: CustomStringConvertible {
    package var description: String {
        name + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }
}
