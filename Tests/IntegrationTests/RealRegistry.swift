import Core
import NIOCore
import Subprocess
import SystemPackage
import Testing

/// Debian's docker-registry on loopback with a storage folder of its own.
struct RealRegistry: Sendable {
    let address: String
    let storage: FilePath

    /// - Parameters:
    ///   - passwords: a file of `htpasswd`, without whose user names and passwords nobody is let in.
    ///   - certificate: with its key, for TLS.
    static func with<R: Sendable>(
        _ place: Workplace, passwords: FilePath? = nil, certificate: (file: FilePath, key: FilePath)? = nil,
        _ body: (RealRegistry) async throws -> R
    ) async throws -> R {
        let port = try await Workplace.freePort()
        let storage = place.folder.appending("registry")
        try Files.makeDirectory(storage)
        // By another address of this machine than those that are spoken to in plain HTTP.
        let host = certificate == nil ? "127.0.0.1" : "127.0.0.2"
        let scheme = certificate == nil ? "http" : "https"
        let configuration = place.folder.appending("registry.yml")
        let tls = certificate.map { ", tls: {certificate: \"\($0.file)\", key: \"\($0.key)\"}" } ?? ""
        let auth = passwords.map { "auth: {htpasswd: {realm: tests, path: \"\($0)\"}}" } ?? ""
        try Files.write(
            ByteBuffer(
                string: """
                    version: 0.1
                    log: {level: error}
                    storage: {filesystem: {rootdirectory: "\(storage)"}, delete: {enabled: true}}
                    http: {addr: "\(host):\(port)"\(tls)}
                    \(auth)
                    """), to: configuration)
        let registry = RealRegistry(address: "\(host):\(port)", storage: storage)
        return try await Subprocess.run(
            .path(.init(RealParts.path("WHARF_REGISTRY_BIN"))), arguments: ["serve", configuration.string],
            environment: place.variables(), input: .none, output: .discarded, error: .discarded
        ) { execution in
            defer { POSIX.send(signal: 15, to: execution.processIdentifier.value) }
            try await eventually("the registry listens") {
                try await place.run("/usr/bin/env", ["curl", "-sk", "\(scheme)://\(registry.address)/v2/"]).status == 0
            }
            return try await body(registry)
        }.closureResult
    }

    /// The file in which the registry keeps a blob.
    func file(of digest: String) -> FilePath {
        let hex = digest.split(separator: ":").last.map(String.init) ?? ""
        return storage.appending("docker/registry/v2/blobs/sha256/\(hex.prefix(2))/\(hex)/data")
    }
}
