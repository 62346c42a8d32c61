package import Core
internal import Crypto
internal import HTTPTypes
internal import Hummingbird
package import NIOCore
internal import Synchronization

/// Hugging Face's hub in this process, on loopback: its API, its redirects to storage on another host, its refusals.
package final class FakeHub: Sendable {
    package enum Fault: Sendable {
        case status(Int, code: String = "")
        /// As many bytes as listed, but others.
        case corrupted
        /// Announces all bytes, sends half of them, closes the connection.
        case truncated
        /// A listing whose every page names a next one.
        case endlessPages
        /// A page that names a next one elsewhere.
        case foreignPage
        /// 200 with a page for people.
        case html
        /// Sends half of the bytes, and the rest when the promise is kept.
        case held(Promise<Void>)
    }

    struct File: Sendable {
        let bytes: ByteBuffer
        let isLarge: Bool
    }

    package struct Request: Sendable, Hashable {
        /// With the query.
        package let path: String
        /// `127.0.0.1:…` is the hub, `localhost:…` its storage.
        package let host: String
        package let token: String?
        package let range: String?
    }

    struct State {
        var port = 0
        /// By repository in lower case and commit.
        var files: [String: [String: File]] = [:]
        /// Commits by repository and revision.
        var revisions: [String: String] = [:]
        var faults: [String: Fault] = [:]
        var requests: [Request] = []
        var token: String?
        var answers: [String: String] = [:]
        var extras: [String: String] = [:]
    }

    let state = Mutex(State())
    static let pageSize = 3

    private init() {}

    package var port: Int { state.withLock { $0.port } }
    /// For `HF_ENDPOINT`.
    package var endpoint: String { "http://127.0.0.1:\(port)" }
    package var requests: [Request] { state.withLock { $0.requests } }
    package func forgetRequests() { state.withLock { $0.requests = [] } }

    /// From now on, paths with this text in them are answered so; nil takes it back.
    package func fail(_ text: String, with fault: Fault?) { state.withLock { $0.faults[text] = fault } }

    /// From now on only who brings this token is answered.
    package func require(token: String?) { state.withLock { $0.token = token } }

    /// A fixed answer for a path without its query.
    package func answer(_ path: String, _ json: String) { state.withLock { $0.answers[path] = json } }

    /// Members that the description of a repository has besides, as JSON text with a comma before it.
    package func describe(_ repository: String, _ members: String) {
        state.withLock { $0.extras[repository.lowercased()] = members }
    }

    /// Gives a repository a revision with these files; those of 1000 bytes or more are large ones.
    ///
    /// - Returns: the commit.
    @discardableResult
    package func publish(
        _ repository: String, _ files: [String: ByteBuffer], revision: String = "main"
    ) -> String {
        let text = files.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.gitID($0.value))\n" }.joined()
        let commit = Self.gitID(ByteBuffer(string: text))
        state.withLock { state in
            state.files["\(repository.lowercased()) \(commit)"] = files.mapValues {
                File(bytes: $0, isLarge: $0.readableBytes >= 1000)
            }
            state.revisions["\(repository.lowercased()) \(revision)"] = commit
            state.revisions["\(repository.lowercased()) \(commit)"] = commit
        }
        return commit
    }

    package static func gitID(_ bytes: ByteBuffer) -> String {
        var function = Insecure.SHA1()
        function.update(data: Array("blob \(bytes.readableBytes)\0".utf8))
        function.update(data: Array(bytes.readableBytesView))
        return function.finalize().map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }

    /// Runs a hub while the body runs.
    package static func run(_ body: (FakeHub) async throws -> Void) async throws {
        let hub = FakeHub()
        try await LoopbackApplication.run(
            label: "fake-hub", answer: { hub.answer($0) }, onPort: { port in hub.state.withLock { $0.port = port } }
        ) {
            try await body(hub)
        }
    }
}
