package import Core
internal import NIOCore
package import OCI

/// A client of Hugging Face's hub: which files a repository has at a revision, and their bytes.
package struct HuggingFace: Sendable {
    let connections: Connections
    let base: WebAddress
    let userAgent: String
    let token: String?
    let smallAnswerLimit: Duration
    let addresses = AddressGuard()
    /// Waits between attempts at a file.
    let pause: @Sendable (Duration) async throws -> Void

    private static let usual = "https://huggingface.co"

    /// `HF_ENDPOINT` stands in for the hub, `HF_TOKEN` is the token where no other is given.
    ///
    /// - Parameters:
    ///   - smallAnswerLimit: how long the body of anything but a file may take, however it trickles.
    /// - Throws: `.invalidArgument` for an endpoint or a token that can be none; `.forbidden` where a token would cross
    ///   the network unencrypted.
    package init(
        connections: Connections, environment: Paths, userAgent: String, token: String? = nil,
        smallAnswerLimit: Duration = .seconds(60),
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) throws {
        var endpoint = environment.setting("HF_ENDPOINT") ?? Self.usual
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        guard let base = WebAddress(endpoint), base.target == "/" else {
            throw Failure(
                .invalidArgument, "HF_ENDPOINT is no address", advice: "Write it as https://HOST, without a path")
        }
        let token = token.flatMap { $0.isEmpty ? nil : $0 } ?? environment.setting("HF_TOKEN")
        if let token {
            guard token.utf8.count <= 1024, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Failure(.invalidArgument, "the token for Hugging Face has characters that no token has")
            }
            guard base.isSecure || ["localhost", "127.0.0.1", "[::1]"].contains(base.host) else {
                throw Failure(
                    .forbidden, "the token for Hugging Face is not sent to \(base.authority) over plain http",
                    advice: "Give HF_ENDPOINT an https address")
            }
        }
        self.connections = connections
        self.base = base
        self.userAgent = userAgent
        self.token = token
        self.smallAnswerLimit = smallAnswerLimit
        self.pause = pause
    }

    /// A revision, resolved: from here on everything is asked for by its commit, whatever becomes of the branch.
    package struct Revision: Hashable, Sendable {
        /// 40 or 64 hex digits.
        package let commit: String
        package let modified: Timestamp
        /// Of safetensors files: elements of all tensors by their type, as the hub counts them.
        package let elements: [String: Int]
    }

    /// - Throws: `.notFound` for a repository or revision that is not there; `.unauthorized`, `.forbidden` with advice
    ///   for one that is not open to everybody.
    package func revision(of name: HubReference) async throws -> Revision {
        let revision = Self.escape(name.revision ?? "main", slashes: true)
        let json = try await json("/api/models/\(name.repository)/revision/\(revision)", of: name).value
        guard let commit = json["sha"]?.string?.lowercased(), Self.isCommit(commit) else {
            throw Failure(.corrupted, "\(base.authority) names no commit of \(name)")
        }
        let elements = json["safetensors"]?["parameters"]?.object?.members.prefix(64).compactMap { member in
            member.value.int.map { (String(member.name.prefix(16)), max(0, $0)) }
        }
        return Revision(
            commit: commit,
            modified: json["lastModified"]?.string.flatMap { Timestamp(rfc3339: $0) } ?? Timestamp(seconds: 0),
            elements: Dictionary(elements ?? [], uniquingKeysWith: { $1 }))
    }

    private static let maximumPages = 50
    private static let maximumFiles = 20_000

    /// All files of a commit.
    ///
    /// - Throws: `.corrupted` for a listing without end, with sizes, digests or paths that cannot be.
    package func files(of name: HubReference, at commit: String) async throws -> [HubFile] {
        let path = "/api/models/\(name.repository)/tree/\(commit)?recursive=true"
        var next = WebAddress(isSecure: base.isSecure, authority: base.authority, target: path)
        var files: [HubFile] = []
        var paths = Set<String>()
        for _ in 0..<Self.maximumPages {
            let (page, following) = try await json(next, of: name)
            guard let entries = page.array else {
                throw Failure(.corrupted, "\(base.authority) lists the files of \(name) in an unknown way")
            }
            for entry in entries {
                guard let file = try HubFile(entry) else { continue }
                guard paths.insert(file.path).inserted, files.count < Self.maximumFiles else {
                    throw Failure(.corrupted, "\(base.authority) lists too many files for \(name), or one twice")
                }
                files.append(file)
            }
            guard let following else { return files }
            next = following
        }
        throw Failure(.corrupted, "\(base.authority) does not come to an end listing the files of \(name)")
    }

    static func isCommit(_ text: String) -> Bool {
        Digest.isHex(text.utf8, count: 40) || Digest.isHex(text.utf8, count: 64)
    }

    /// Percent-encodes a path, or one part of it.
    static func escape(_ text: String, slashes: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = text.utf8.flatMap { byte -> [UInt8] in
            let plain =
                (48...57).contains(byte) || (97...122).contains(byte | 32) || "-._~".utf8.contains(byte)
                || byte == UInt8(ascii: "/") && !slashes
            return plain ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
