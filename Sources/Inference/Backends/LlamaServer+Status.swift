internal import Core
internal import NIOCore
internal import Synchronization
internal import SystemPackage

extension LlamaServer {
    /// Asks the program for its version; the answer is kept as long as the file stays the same.
    package func status() async -> BackendStatus {
        do {
            await prepare()
            guard let program = try builds.chosen()?.build.program else { return .notInstalled(nil) }
            let version = try await VersionCache.shared.version(of: program, environment: processEnvironment)
            let report = DeviceReport(
                builds: try builds.candidates().map { ($0, builds.devices(of: $0)) }, hardware: DeviceReport.hardware,
                folder: buildsFolder.string)
            return .running("\(name) \(version)\(report.text.isEmpty ? "" : ", \(report.text)")")
        } catch { return .error(Failure.text(of: error)) }
    }
}

/// What programs answered to `--version`, by file.
private final class VersionCache: Sendable {
    private struct Key: Hashable {
        let program: FilePath
        let inode: UInt64
        let modified: Int64
    }

    static let shared = VersionCache()

    private let known = Mutex<[Key: String]>([:])

    func version(of program: FilePath, environment: [String: String]) async throws -> String {
        let status = try POSIX.status(program)
        let key = Key(program: program, inode: status.inode, modified: status.modified)
        if let version = known.withLock({ $0[key] }) { return version }
        let answer = try await Command(program, ["--version"], environment: environment).output(within: .seconds(20))
        let line = answer.split(whereSeparator: \.isNewline).first { $0.hasPrefix("version:") }
        let version =
            line.map { $0.dropFirst("version:".count).trimmingPrefix(while: { $0 == " " }) } ?? "(unknown version)"
        known.withLock { known in
            if known.count > 16 { known = [:] }
            known[key] = String(version)
        }
        return String(version)
    }
}
