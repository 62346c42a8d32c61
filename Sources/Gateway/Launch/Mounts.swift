internal import Core
internal import DockerEngine
internal import SystemPackage
internal import Toolkit

/// What of the machine's files a server gets: what its entry asks for, as far as the user has granted it.
struct Mounts: Sendable {
    let mounts: [ContainerSpec.Mount]
    /// Folders in memory, for what the entry calls anonymous volumes.
    let memory: [String]
    /// `UID:GID` of whoever the first mounted path belongs to: the server works on those files as their owner.
    let owner: String?

    /// - Parameter volumes: `SOURCE:TARGET[:MODE]` or `TARGET`, templates filled in.
    /// - Throws: `.forbidden` for what is not granted or never given; `.invalidArgument` for what cannot be understood.
    init(_ volumes: [String], of server: String, grants: Grants) throws {
        let files = grants[server].files
        let granted = Self.roots(files)
        // Of all servers: what one may write it can also turn into a link, while another is being started.
        let writable = Self.roots(grants.servers.values.flatMap(\.files)).filter(\.isWritable)
        var mounts: [ContainerSpec.Mount] = []
        var memory: [String] = []
        var owner: String?
        for volume in volumes where !volume.isEmpty {
            let parts = volume.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count <= 3, let last = parts.last else { throw Self.bad(volume) }
            if parts.count == 1 {
                memory.append(try Self.target(last, volume))
                continue
            }
            let target = try Self.target(parts[1], volume)
            let mode = parts.count == 3 ? parts[2] : ""
            guard ["", "ro", "rw", "z", "Z"].contains(mode) else { throw Self.bad(volume) }
            let source = parts[0]
            if source.hasPrefix("/") {
                let found = try Self.resolve(source)
                // Of a grant and one within it, the inner one decides.
                let covering = granted.filter { found.path.starts(with: $0.path) }
                guard let root = covering.max(by: { $0.path.components.count < $1.path.components.count }) else {
                    throw Self.notGranted(source, server)
                }
                try Self.requireHarmless(found.path, found.status)
                if let above = writable.first(where: { found.path.starts(with: $0.path) && found.path != $0.path })?
                    .path
                {
                    throw Failure(
                        .forbidden, "it asks for \(found.path), which is below \(above), where a server may write",
                        advice:
                            "A link put there meanwhile could lead anywhere: grant \(above) itself, or to read only.")
                }
                mounts.append(
                    .init(
                        .bind, source: found.path.string, target: target, isReadOnly: !root.isWritable || mode == "ro")
                )
                owner = owner ?? "\(found.status.userID):\(found.status.groupID)"
            } else {
                guard let place = files.first(where: { $0.name == source }) else {
                    throw Self.notGranted(source, server)
                }
                mounts.append(
                    .init(.volume, source: source, target: target, isReadOnly: !place.isWritable || mode == "ro"))
            }
        }
        (self.mounts, self.memory, self.owner) = (mounts, memory, owner)
    }

    /// A granted folder or file, its links resolved.
    private struct Root {
        let path: FilePath
        let isWritable: Bool
    }

    /// The paths among grants; one that is not there covers nothing.
    private static func roots(_ files: [Grants.Place]) -> [Root] {
        files.filter { $0.name.hasPrefix("/") }.compactMap { place in
            (try? POSIX.resolve(FilePath(place.name))).map { Root(path: $0, isWritable: place.isWritable) }
        }
    }

    private static func resolve(_ source: String) throws -> (path: FilePath, status: POSIX.Status) {
        try Files.wrap("it asks for \(source)") {
            let path = try POSIX.resolve(FilePath(source))
            return (path, try POSIX.status(path))
        }
    }

    private static let systemFolders = [
        "/dev", "/proc", "/sys", "/run", "/var/run", "/private/var/run", "/etc", "/private/etc", "/boot",
        "/var/lib/docker", "/var/lib/containerd", "/System", "/Library",
    ]
    private static let credentials: Set<String> = [
        ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config", ".netrc", ".npmrc", ".pypirc",
        ".git-credentials",
        ".password-store", ".mozilla", ".vault-token", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa",
    ]

    /// What no grant gives: the way to root on this machine, and the keys of a person.
    private static func requireHarmless(_ path: FilePath, _ status: POSIX.Status) throws {
        func refuse(_ why: String) -> Failure {
            Failure(
                .forbidden, "it cannot have \(path): \(why)",
                advice: "Grant a folder of its own below it.")
        }
        guard status.isDirectory || status.isRegular else { throw refuse("it is neither a folder nor a plain file") }
        if path == "/" { throw refuse("it is the whole machine") }
        let homes = [Paths().home.string, POSIX.recordedHome].compactMap { $0 }
        if homes.contains(where: { (try? POSIX.resolve(FilePath($0)))?.starts(with: path) == true }) {
            throw refuse("it holds your home, with all your keys")
        }
        if (try? POSIX.status(path.appending("docker.sock")))?.isSocket == true {
            throw refuse("a Docker Engine listens in it")
        }
        if systemFolders.contains(where: { path.starts(with: FilePath($0)) }) {
            throw refuse("it belongs to the system")
        }
        if let part = path.components.first(where: { credentials.contains($0.string) }) {
            throw refuse("\(part) holds credentials")
        }
    }

    private static func target(_ text: String, _ volume: String) throws -> String {
        let path = FilePath(text)
        guard path.isAbsolute, path != "/", path.isLexicallyNormal, !text.contains("\0") else {
            throw bad(volume)
        }
        return path.string
    }

    private static func bad(_ volume: String) -> Failure {
        Failure(
            .invalidArgument,
            "its volume \(JSON.quoted(String(volume.prefix(200)))) cannot be understood")
    }

    private static func notGranted(_ source: String, _ server: String) -> Failure {
        Failure(
            .forbidden, "it asks for \(source), which you have not granted",
            advice: "Allow it with --allow-files \(server)=\(source) (add :rw to let it write), "
                + "or for good with docker mcp grants add.")
    }
}
