package import Core

/// What a manifest says of one blob: its type, its digest and its size.
package struct Descriptor: Hashable, Sendable {
    package let mediaType: String
    package let digest: Digest
    /// Bytes, never negative.
    package let size: Int64
    package let annotations: [String: String]

    package init(mediaType: String, digest: Digest, size: Int64, annotations: [String: String] = [:]) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
    }

    /// - Throws: `.corrupted` where a member is missing or of the wrong kind.
    package init(_ json: JSON) throws {
        guard let mediaType = json["mediaType"]?.string, let digest = json["digest"]?.string,
            let size = json["size"]?.int, size >= 0
        else { throw Failure(.corrupted, "a descriptor lacks its media type, digest or size") }
        self.mediaType = mediaType
        do { self.digest = try Digest(parsing: digest) } catch {
            throw Failure(.corrupted, "a descriptor has a bad digest", cause: error)
        }
        self.size = Int64(size)
        annotations = Self.annotations(json["annotations"])
    }

    static func annotations(_ json: JSON?) -> [String: String] {
        let pairs = json?.object?.members.compactMap { member in member.value.string.map { (member.name, $0) } }
        return Dictionary(pairs ?? [], uniquingKeysWith: { $1 })
    }

    /// The descriptor with its annotations sorted by name, so that equal values have equal bytes.
    package var json: JSON {
        var object = JSON.Object([
            ("mediaType", .string(mediaType)), ("digest", .string(digest.description)), ("size", .int(size)),
        ])
        if !annotations.isEmpty { object["annotations"] = Self.json(annotations) }
        return .object(object)
    }

    static func json(_ annotations: [String: String]) -> JSON {
        .object(JSON.Object(annotations.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
}
