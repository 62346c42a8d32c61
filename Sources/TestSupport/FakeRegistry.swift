internal import Crypto
internal import HTTPTypes
internal import Hummingbird
package import NIOCore
internal import Synchronization

/// A registry in this process, on loopback, that can be told to misbehave.
package final class FakeRegistry: Sendable {
    package enum Fault: Sendable, Equatable {
        case status(Int)
        /// 200 with a page for people.
        case html
        /// As many bytes as announced, but others.
        case corrupted
        /// Announces all bytes, sends half of them, closes the connection.
        case truncated
        /// Sends more bytes than there are, without announcing a length.
        case endless
        /// Begins a manifest and never ends it.
        case unfinished
        case redirect(String)
        /// A wrong `Docker-Content-Digest`.
        case digestHeader(String)
    }

    struct State {
        var port = 0
        var blobs: [String: ByteBuffer] = [:]
        var manifests: [String: ByteBuffer] = [:]
        var faults: [String: Fault] = [:]
        var requests: [String] = []
        var token: String?
        var realm: String?
        var uploads = 0
    }

    let state = Mutex(State())

    private init() {}

    package var port: Int { state.withLock { $0.port } }

    /// `127.0.0.1:port`, to go before a repository's name.
    package var address: String { "127.0.0.1:\(port)" }

    /// What was asked, as `METHOD path`, in order.
    package var requests: [String] { state.withLock { $0.requests } }
    package var blobs: [String: ByteBuffer] { state.withLock { $0.blobs } }
    package func manifest(_ repository: String, _ target: String) -> ByteBuffer? {
        state.withLock { $0.manifests["\(repository)/\(target)"] }
    }

    package func forgetRequests() { state.withLock { $0.requests = [] } }

    /// From now on, paths with this ending are answered so; nil takes it back.
    package func fail(_ ending: String, with fault: Fault?) { state.withLock { $0.faults[ending] = fault } }

    /// From now on a bearer token is required, to be had from `realm` (a path here, or a whole address).
    package func requireToken(_ token: String, realm: String = "/token") {
        state.withLock { state in
            state.token = token
            state.realm = realm.hasPrefix("/") ? "http://127.0.0.1:\(state.port)\(realm)" : realm
        }
    }

    @discardableResult
    package func add(blob bytes: ByteBuffer) -> String {
        let digest = Self.digest(bytes)
        state.withLock { $0.blobs[digest] = bytes }
        return digest
    }

    package func add(manifest bytes: ByteBuffer, repository: String, tag: String) {
        state.withLock { state in
            state.manifests["\(repository)/\(tag)"] = bytes
            state.manifests["\(repository)/\(Self.digest(bytes))"] = bytes
        }
    }

    /// `sha256:…`
    package static func digest(_ bytes: ByteBuffer) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let hash = SHA256.hash(data: bytes.readableBytesView)
        return "sha256:"
            + String(decoding: hash.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Runs a registry while the body runs.
    package static func run(_ body: (FakeRegistry) async throws -> Void) async throws {
        let registry = FakeRegistry()
        try await LoopbackApplication.run(
            label: "fake-registry", answer: { try await registry.answer($0) },
            onPort: { port in registry.state.withLock { $0.port = port } }
        ) {
            try await body(registry)
        }
    }
}
