internal import NIOCore
internal import Subprocess

// On Darwin, Subprocess speaks of System's FilePath, elsewhere of SystemPackage's: this file names neither.
#if canImport(System)
    internal import System
#else
    internal import SystemPackage
#endif

/// How a child ended.
package enum ChildExit: Sendable, Hashable {
    case code(Int32)
    case signal(Int32)
}

/// The one place that starts processes.
enum Spawn {
    /// Runs a program until it ends. Its output, both streams as one, is read while it runs.
    ///
    /// When the calling task is cancelled the child and all it started get SIGTERM, after `grace` SIGKILL; the call
    /// still returns only when the child is gone.
    static func run(
        program: String, arguments: [String], environment: [String: String], grace: Duration,
        started: (Int32) -> Void = { _ in }, output: (ByteBuffer) -> Void
    ) async throws -> ChildExit {
        var variables: [Environment.Key: String] = [:]
        for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
        var options = PlatformOptions()
        // A session of its own: Ctrl-C in our terminal is ours to handle, and the whole group can be ended.
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: grace)
        ]
        let result = try await Subprocess.run(
            .path(.init(program)), arguments: Arguments(arguments), environment: .custom(variables),
            platformOptions: options, input: .none, output: .sequence, error: .combinedWithOutput
        ) { execution in
            started(execution.processIdentifier.value)
            for try await chunk in execution.standardOutput {
                chunk.withUnsafeBytes { output(ByteBuffer(bytes: $0)) }
            }
        }
        return switch result.terminationStatus {
        case .exited(let code): .code(code)
        case .signaled(let signal): .signal(signal)
        }
    }
}
