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

    /// What would be run to serve this load at this address.
    ///
    /// - Parameter context: tokens, where the runner has chosen them; nil leaves it to the engine.
    func command(for load: Load, context: Int?, at address: EngineAddress) throws -> ChildProcess.Spec

    /// Whether it is there and works, for `status`.
    func status() async -> BackendStatus
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
