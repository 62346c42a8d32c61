internal import Core

/// A repository of Hugging Face's hub as people write it: `hf.co/owner/name[:quantisation][@revision]`.
///
/// The hub knows capitals, so they are kept here; the name in the store is `ModelReference`'s matter.
package struct HubReference: Hashable, Sendable {
    package let owner: String
    package let name: String
    /// What stands behind the colon, nil for nothing and for `latest`: a quantisation, the beginning of a file's name,
    /// or a revision.
    package let quantization: String?
    /// A branch, a tag or a commit.
    package let revision: String?

    private static let hosts = ["hf.co", "huggingface.co"]

    /// Whether a name is one of the hub's, right or wrong.
    package static func isHub(_ text: String) -> Bool {
        let trimmed = text.drop(while: \.isWhitespace)
        return hosts.contains(trimmed.prefix { $0 != "/" }.lowercased())
    }

    /// - Throws: `.invalidArgument` for what no repository can be called.
    package init(parsing text: String) throws {
        func refuse(_ why: String) -> Failure {
            Failure(
                .invalidArgument, "invalid reference \"\(text.prefix(160))\": \(why)",
                advice: "Write it as hf.co/OWNER/NAME[:QUANTISATION][@REVISION]")
        }
        var rest = text.drop(while: \.isWhitespace)
        while rest.last?.isWhitespace == true { rest.removeLast() }
        guard Self.isHub(text), rest.utf8.count <= 1024, let slash = rest.firstIndex(of: "/") else {
            throw refuse("it does not begin with hf.co/")
        }
        rest = rest[rest.index(after: slash)...]
        var revision: String?
        if let at = rest.firstIndex(of: "@") {
            let text = String(rest[rest.index(after: at)...])
            if text.contains(":") { throw refuse("the hub knows commits, not digests") }
            guard Self.isRevision(text) else { throw refuse("bad revision") }
            revision = text
            rest = rest[..<at]
        }
        var quantization: String?
        if let colon = rest.firstIndex(of: ":") {
            let text = String(rest[rest.index(after: colon)...])
            guard Self.isWord(text, limit: 128) else { throw refuse("bad quantisation") }
            quantization = text.lowercased() == "latest" ? nil : text
            rest = rest[..<colon]
        }
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw refuse("it needs an owner and a name") }
        for part in parts where !Self.isWord(part, limit: 96) || part.contains("..") { throw refuse("bad name") }
        (owner, name) = (parts[0], parts[1])
        self.quantization = quantization
        self.revision = revision
    }

    private init(_ other: HubReference, quantization: String?, revision: String?) {
        (owner, name) = (other.owner, other.name)
        self.quantization = quantization
        self.revision = revision
    }

    /// The same repository with what stood behind the colon taken for a revision.
    package var withQuantizationAsRevision: HubReference? {
        guard revision == nil, let quantization else { return nil }
        return HubReference(self, quantization: nil, revision: quantization)
    }

    package var repository: String { "\(owner)/\(name)" }

    private static func isWord(_ text: String, limit: Int) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= limit else { return false }
        let isStart = (48...57).contains(first) || (97...122).contains(first | 32) || first == UInt8(ascii: "_")
        return isStart
            && text.utf8.allSatisfy {
                (48...57).contains($0) || (97...122).contains($0 | 32) || "-._".utf8.contains($0)
            }
    }

    /// As git has them, but for characters that nobody uses.
    private static func isRevision(_ text: String) -> Bool {
        text.utf8.count <= 128
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                isWord(String(part), limit: 128) && !part.contains("..")
            }
    }
}

extension HubReference: CustomStringConvertible {
    package var description: String {
        "hf.co/\(repository)" + (quantization.map { ":\($0)" } ?? "") + (revision.map { "@\($0)" } ?? "")
    }
}
