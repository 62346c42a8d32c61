package import SystemPackage

/// Knows how one kind of inference server is started. It only describes; `ChildProcess` runs.
package protocol Backend: Sendable {
    /// The name in routes and messages, for example `llama.cpp`.
    var name: String { get }

    /// The program to run.
    ///
    /// - Throws: `.failedPrecondition` with the command that installs it.
    func executable() throws -> FilePath

    /// Whether it listens on a socket or needs a port.
    var listening: BackendListening { get }

    /// The options that somebody may configure for a model.
    var runtimeFlags: RuntimeFlags { get }

    /// The formats of models that it can load, as their configurations name them.
    var formats: Set<String> { get }

    /// The kinds of work that it can do.
    var modes: Set<Load.Mode> { get }

    /// What it is told the model's name is, where requests have to use just that; nil where any will do.
    func servedName(_ load: Load) -> String?

    /// Finds out what takes time: which of several programs to run, and on what.
    func prepare() async

    /// Whether nothing should be started before `prepare` has been done.
    var mustPrepare: Bool { get }

    /// The GPUs it is known to use.
    var devices: BackendDevices { get }

    /// Whether a model runs on them when it is configured like this.
    func usesDevices(_ configuration: EngineConfiguration) -> Bool

    /// What loading weights of so many bytes takes, where the model's shape does not tell.
    ///
    /// - Returns: nil where it does.
    func memory(weights: Int64, placement: MemoryEstimate.Placement) -> MemoryEstimate?

    /// What would be run to serve this load at this address.
    ///
    /// - Parameter context: tokens, where the runner has chosen them; nil leaves it to the engine.
    func command(for load: Load, context: Int?, at address: EngineAddress) throws -> ChildProcess.Spec

    /// Whether it is there and works, for `status`.
    func status() async -> BackendStatus
}

extension Backend {
    package func servedName(_ load: Load) -> String? { nil }
    package func memory(weights: Int64, placement: MemoryEstimate.Placement) -> MemoryEstimate? { nil }
    package func prepare() async {}
    package var mustPrepare: Bool { false }
    package var devices: BackendDevices { .none }
    package func usesDevices(_ configuration: EngineConfiguration) -> Bool { true }
}

/// What GPUs a backend has.
package struct BackendDevices: Sendable, Hashable {
    /// Bytes that were free when it was looked.
    package var free: Int64
    /// Whether that is the machine's own memory.
    package var isUnified: Bool

    package static let none = BackendDevices(free: 0, isUnified: false)
}

/// What kind of address a backend can serve at.
package enum BackendListening: Sendable, Hashable {
    case unixSocket
    case loopbackPort
}

/// The state of a backend, in the words of the status route.
package enum BackendStatus: Sendable, Hashable, CustomStringConvertible {
    case running(String)
    case notInstalled(String?)
    case installing
    case error(String)

    /// `Running: llama.cpp …`, `Not Installed`, `Installing`, `Error: …`.
    package var description: String {
        switch self {
        case .running(let details): "Running: \(details)"
        case .notInstalled(let reason): reason.map { "Not Installed: \($0)" } ?? "Not Installed"
        case .installing: "Installing"
        case .error(let reason): "Error: \(reason)"
        }
    }
}
