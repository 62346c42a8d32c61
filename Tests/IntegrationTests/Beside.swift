import Core
import NIOCore
import Subprocess
import SystemPackage

/// Runs a program beside the body, and ends it afterwards.
///
/// - Returns: all that it wrote.
func beside(
    _ place: Workplace, _ command: [String], _ extra: [String: String] = [:],
    _ body: @escaping @Sendable () async throws -> Void
) async throws -> String {
    let result = try await Subprocess.run(
        .path("/bin/sh"), arguments: Arguments(["-c", #"exec "$@" 2>&1"#, "sh"] + command),
        environment: place.variables(extra), input: .inputWriter, output: .sequence, error: .discarded
    ) { execution in
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        POSIX.send(signal: 15, to: execution.processIdentifier.value)
        var text = ""
        for try await chunk in execution.standardOutput {
            text += String(buffer: chunk.withUnsafeBytes { ByteBuffer(bytes: $0) })
        }
        try outcome.get()
        return text
    }
    return result.closureResult
}
