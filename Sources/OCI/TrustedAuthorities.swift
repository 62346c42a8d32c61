internal import Core
internal import NIOCore
internal import NIOSSL
internal import Synchronization
internal import SystemPackage

/// Whose certificates a registry's address is believed by, beside those the system trusts: the authorities in the file
/// `WHARF_REGISTRY_CA`, and docker's own `certs.d/HOST[:PORT]/*.crt`.
final class TrustedAuthorities: Sendable {
    private struct Entry {
        let files: [File]
        let configuration: TLSConfiguration?
    }

    /// A file as it was when it was read.
    private struct File: Equatable {
        let path: FilePath
        let inode: UInt64
        let size, modified: Int64
    }

    private static let maximumFile = 4 << 20
    private static let maximumEntries = 64

    private let environment: Paths
    private let folders: [FilePath]
    private let entries = Mutex<[String: Entry]>([:])

    init(environment: Paths) {
        self.environment = environment
        folders = [environment.docker.appending("certs.d"), "/etc/docker/certs.d"]
    }

    /// How to speak TLS with `authority`; nil where only the system's authorities count.
    ///
    /// - Throws: `.failedPrecondition` that names the file which cannot be read or holds no certificate.
    func configuration(for authority: String) throws -> TLSConfiguration? {
        let files = try self.files(for: authority)
        if let entry = entries.withLock({ $0[authority] }), entry.files == files { return entry.configuration }
        var certificates: [NIOSSLCertificate] = []
        for file in files { certificates += try Self.read(file.path) }
        var configuration: TLSConfiguration?
        if !certificates.isEmpty {
            var usual = TLSConfiguration.makeClientConfiguration()
            usual.additionalTrustRoots = [.certificates(certificates)]
            configuration = usual
        }
        let entry = Entry(files: files, configuration: configuration)
        entries.withLock { entries in
            if entries.count >= Self.maximumEntries { entries.removeAll() }
            entries[authority] = entry
        }
        return configuration
    }

    private func files(for authority: String) throws -> [File] {
        var files: [File] = []
        if let path = environment.setting("WHARF_REGISTRY_CA").map({ FilePath($0) }) {
            guard let file = Self.file(path) else {
                throw Failure(.failedPrecondition, "WHARF_REGISTRY_CA names \(path), which is no file that can be read")
            }
            files.append(file)
        }
        // The authority has been through the grammar of addresses: it cannot lead out of the folder.
        for folder in folders.map({ $0.appending(authority) }) {
            for name in (try? POSIX.list(folder)) ?? [] where name.hasSuffix(".crt") {
                if let file = Self.file(folder.appending(name)) { files.append(file) }
            }
        }
        return files
    }

    private static func file(_ path: FilePath) -> File? {
        guard let status = try? POSIX.status(path), status.isRegular else { return nil }
        return File(path: path, inode: status.inode, size: status.size, modified: status.modified)
    }

    private static func read(_ path: FilePath) throws -> [NIOSSLCertificate] {
        do {
            let bytes = try Files.read(path, limit: maximumFile)
            return try NIOSSLCertificate.fromPEMBytes(Array(bytes.readableBytesView))
        } catch {
            throw Failure(
                .failedPrecondition, "cannot read certificates from \(path)", cause: error,
                advice: "It must be a file of certificates in PEM form")
        }
    }
}
