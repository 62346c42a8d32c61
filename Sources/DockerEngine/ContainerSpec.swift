package import Core

/// What a container is made of and what it may use. A plain description; `json` is what the engine is told.
package struct ContainerSpec: Sendable {
    package var image: String
    /// Replaces the image's own; empty leaves it.
    package var entrypoint: [String] = []
    /// Arguments for the image's entrypoint; empty leaves the image's own.
    package var command: [String] = []
    package var environment: [(name: String, value: String)] = []
    package var labels: [String: String] = [:]
    /// CPUs' worth of time; nil for no limit.
    package var cpus: Double?
    /// Bytes of memory, swap included; nil for no limit.
    package var memory: Int64?
    package var pidsLimit: Int64?
    package var networkMode: String?
    package var readOnlyRoot = false
    /// Folders in memory, with their mount options.
    package var tmpfs: [String: String] = [:]
    package var capDrop: [String] = []
    package var securityOpt: [String] = []
    package var useInit = false
    package var user: String?
    package var autoRemove = false
    package var openStdin = false
    /// Whether the container's stdin closes when the one client that was attached leaves.
    package var stdinOnce = false

    package var mounts: [Mount] = []

    /// A folder or file of the engine's machine, or a volume, inside the container.
    package struct Mount: Sendable, Hashable {
        package enum Kind: String, Sendable {
            /// A path that must be there; the engine makes none.
            case bind
            case volume
        }

        package let kind: Kind
        package let source: String
        package let target: String
        package let isReadOnly: Bool

        package init(_ kind: Kind, source: String, target: String, isReadOnly: Bool) {
            self.kind = kind
            self.source = source
            self.target = target
            self.isReadOnly = isReadOnly
        }

        fileprivate var json: JSON {
            var object = JSON.Object([
                ("Type", .string(kind.rawValue)), ("Source", .string(source)), ("Target", .string(target)),
                ("ReadOnly", .bool(isReadOnly)),
            ])
            // What is mounted on the machine later does not appear in the container.
            if kind == .bind { object["BindOptions"] = ["Propagation": "rprivate"] }
            return .object(object)
        }
    }

    package init(image: String) { self.image = image }

    /// The body of `POST /containers/create`.
    package var json: JSON {
        var host = JSON.Object([
            ("AutoRemove", .bool(autoRemove)), ("Init", .bool(useInit)), ("ReadonlyRootfs", .bool(readOnlyRoot)),
            ("CapDrop", .array(capDrop.map { .string($0) })),
            ("SecurityOpt", .array(securityOpt.map { .string($0) })),
            // Logs would keep every message of every session on the disk.
            ("LogConfig", ["Type": "none"]),
        ])
        if let cpus { host["NanoCpus"] = .int(Int64((cpus * 1e9).rounded())) }
        if let memory {
            host["Memory"] = .int(memory)
            host["MemorySwap"] = .int(memory)
        }
        if let pidsLimit { host["PidsLimit"] = .int(pidsLimit) }
        if let networkMode { host["NetworkMode"] = .string(networkMode) }
        if !tmpfs.isEmpty { host["Tmpfs"] = Self.object(tmpfs) }
        if !mounts.isEmpty { host["Mounts"] = .array(mounts.map(\.json)) }
        var object = JSON.Object([
            ("Image", .string(image)),
            ("Env", .array(environment.map { .string("\($0.name)=\($0.value)") })), ("Labels", Self.object(labels)),
            ("AttachStdin", .bool(openStdin)), ("AttachStdout", true), ("AttachStderr", true), ("Tty", false),
            ("OpenStdin", .bool(openStdin)), ("StdinOnce", .bool(stdinOnce)), ("HostConfig", .object(host)),
        ])
        if networkMode == "none" { object["NetworkDisabled"] = true }
        if !entrypoint.isEmpty { object["Entrypoint"] = .array(entrypoint.map { .string($0) }) }
        if !command.isEmpty { object["Cmd"] = .array(command.map { .string($0) }) }
        if let user { object["User"] = .string(user) }
        return .object(object)
    }

    private static func object(_ values: [String: String]) -> JSON {
        .object(JSON.Object(values.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
}
