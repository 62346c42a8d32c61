import AsyncHTTPClient
import Core
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import OCI

/// Where a registry may send its clients.
@Suite struct AddressGuardTests {
    private static let names: [String: [String]] = [
        "public.example": ["8.8.8.8", "2001:4860::1"], "other.example": ["1.1.1.1"], "private.example": ["10.0.0.1"],
        "second.example": ["192.168.0.7"], "mixed.example": ["8.8.8.8", "10.0.0.1"],
        "meta.example": ["169.254.169.254"],
        "box.local": ["127.0.0.1"], "localhost": ["127.0.0.1", "::1"],
    ]

    @Test(
        arguments: [
            ("public.example", "other.example", true), ("public.example", "private.example", false),
            ("public.example", "mixed.example", false), ("public.example", "box.local", false),
            ("public.example", "10.0.0.1", false), ("public.example", "127.0.0.1", false),
            ("public.example", "[::1]", false), ("public.example", "[::ffff:127.0.0.1]", false),
            ("public.example", "169.254.169.254", false), ("public.example", "meta.example", false),
            ("public.example", "[fd00:ec2::254]", false), ("public.example", "public.example:8443", true),
            ("private.example", "second.example", true), ("private.example", "other.example", true),
            ("private.example", "localhost", false), ("private.example", "meta.example", false),
            ("mixed.example", "second.example", false), ("localhost", "10.0.0.1", true),
            ("localhost", "127.0.0.1", true), ("localhost", "meta.example", false),
            ("meta.example", "meta.example", true),
            ("public.example", "[2002:7f00:1::]", false), ("public.example", "[64:ff9b::a00:1]", false),
            // The host is its own, the port is not.
            ("meta.example", "meta.example:8080", false), ("box.local", "box.local:8080", true),
        ])
    func nowhereNearerThanItself(registry: String, target: String, isAllowed: Bool) async throws {
        let check = AddressGuard { host in (Self.names[host] ?? []).compactMap { IPAddress($0) } }
        let (registry, target) = (
            WebAddress(isSecure: true, authority: registry, target: "/"),
            WebAddress(isSecure: true, authority: target, target: "/token")
        )
        do {
            let dialled = try await check.check(target, namedBy: registry, isProxied: false)
            #expect(isAllowed)
            let isOwn = registry.authority == target.authority
            #expect(dialled == (isOwn ? nil : (Self.names[target.host] ?? [target.host]).compactMap { IPAddress($0) }))
        } catch let failure as Failure {
            #expect(!isAllowed && failure.code == .forbidden, "\(failure)")
        }
    }

    @Test func aHostThatNobodyKnowsIsNotLookedUpAgainLater() async throws {
        let check = AddressGuard { _ in [] }
        let failure = await #expect(throws: Failure.self) {
            try await check.check(
                WebAddress(isSecure: true, authority: "unknown.example", target: "/"),
                namedBy: WebAddress(isSecure: true, authority: "public.example", target: "/"), isProxied: false)
        }
        #expect(failure?.code == .unavailable)
    }

    @Test func aPublicRegistryDoesNotMoveNextToUs() async throws {
        let answers = Mutex(["8.8.8.8", "127.0.0.1"])
        let check = AddressGuard { _ in [answers.withLock { $0.removeFirst() }].compactMap { IPAddress($0) } }
        let registry = WebAddress(isSecure: true, authority: "rebinding.example", target: "/")
        for _ in 0..<2 {
            let failure = await #expect(throws: Failure.self) {
                try await check.check(
                    WebAddress(isSecure: true, authority: "127.0.0.1:8080", target: "/"), namedBy: registry,
                    isProxied: false)
            }
            #expect(failure?.code == .forbidden)
        }
        #expect(answers.withLock { $0 } == ["127.0.0.1"])
    }

    /// The second lookup, the client's own, would not find the name.
    @Test func whatWasCheckedIsWhatIsDialled() async throws {
        let text = "a blob that is stored elsewhere"
        let bytes = ByteBuffer(string: text)
        let blob = Descriptor(
            mediaType: MediaType.gguf, digest: Digest.sha256(of: bytes), size: Int64(bytes.readableBytes))
        try await ScriptedServer.run({ _ in .http(200, [], text) }) { storage in
            let port = storage.address.split(separator: ":").last ?? ""
            let redirect = ("Location", "http://storage.invalid:\(port)/x")
            try await ScriptedServer.run({ _ in .http(307, [redirect]) }) { server in
                let paths = Paths(environment: ["HOME": "/nonexistent"])
                try await withTemporaryDirectory { folder in
                    try await Registry.with(environment: paths, userAgent: "wharf-tests/1") { registry in
                        var registry = registry
                        registry.addresses = AddressGuard { _ in
                            // The first is nobody's; the second is tried then.
                            ["127.0.0.2", "127.0.0.1"].compactMap { IPAddress($0) }
                        }
                        let store = BlobStore(root: folder)
                        try await registry.fetchBlob(
                            blob, in: Reference(parsing: "\(server.address)/ai/x"), into: store)
                        #expect(try POSIX.status(store.path(of: blob.digest)).size == blob.size)
                    }
                }
                #expect(storage.requests.map { $0.header("Host") } == ["storage.invalid:\(port)"])
            }
        }
    }

    @Test func behindAProxyNamesAreItsAffairAndAddressesAreNot() async throws {
        let check = AddressGuard { _ in throw Failure(.internalError, "looked up") }
        let registry = WebAddress(isSecure: true, authority: "public.example", target: "/")
        let dialled = try await check.check(
            WebAddress(isSecure: true, authority: "other.example", target: "/"), namedBy: registry, isProxied: true)
        #expect(dialled == nil)
        await #expect(throws: Failure.self) {
            try await check.check(
                WebAddress(isSecure: true, authority: "10.0.0.1", target: "/"), namedBy: registry, isProxied: true)
        }
    }

    @Test func aRedirectIntoAPrivateNetworkIsRefused() async throws {
        let script: ScriptedServer.Script = { _ in .http(307, [("Location", "http://169.254.169.254/latest/meta-data")])
        }
        try await withScript(script) { server, registry, _ in
            let failure = await #expect(throws: Failure.self) {
                try await registry.resolve(Reference(parsing: "\(server.address)/ai/x"))
            }
            #expect(failure?.code == .forbidden)
            #expect(failure?.description.contains("sends clients to 169.254.169.254") == true)
        }
    }
}
