package import Core
package import SystemPackage

/// A description that cannot be used: it is listed with the reason, and loads nothing.
package struct BrokenBackend: Backend {
    /// The file's name.
    package let name: String
    package let failure: Failure

    package var listening: BackendListening { .loopbackPort }
    package var formats: Set<String> { [] }
    package var modes: Set<Load.Mode> { [] }
    package var runtimeFlags: RuntimeFlags { .none }

    package func executable() throws -> FilePath { throw failure }

    package func status() async -> BackendStatus { .error(failure.description) }

    package func command(for load: Load, context: Int?, at address: EngineAddress) throws -> ChildProcess.Spec {
        throw failure
    }
}
