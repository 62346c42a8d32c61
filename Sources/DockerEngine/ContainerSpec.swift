package import Core

/// What a container is made of and what it may use. A plain description; `json` is what the engine is told.
package struct ContainerSpec: Sendable {
    package var image: String
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
        var object = JSON.Object([
            ("Image", .string(image)),
            ("Env", .array(environment.map { .string("\($0.name)=\($0.value)") })), ("Labels", Self.object(labels)),
            ("AttachStdin", .bool(openStdin)), ("AttachStdout", true), ("AttachStderr", true), ("Tty", false),
            ("OpenStdin", .bool(openStdin)), ("StdinOnce", .bool(stdinOnce)), ("HostConfig", .object(host)),
        ])
        if networkMode == "none" { object["NetworkDisabled"] = true }
        if !command.isEmpty { object["Cmd"] = .array(command.map { .string($0) }) }
        if let user { object["User"] = .string(user) }
        return .object(object)
    }

    private static func object(_ values: [String: String]) -> JSON {
        .object(JSON.Object(values.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
}
