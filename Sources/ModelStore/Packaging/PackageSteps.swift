internal import Core
private import Synchronization
internal import SystemPackage

/// The steps of storing one file that are worth telling.
final class PackageSteps: Sendable {
    private let name: String
    private let total: Int64
    private let throttle: Mutex<ProgressThrottle>
    private let report: @Sendable (PackageProgress) async throws -> Void

    init(_ file: FilePath, _ report: @escaping @Sendable (PackageProgress) async throws -> Void) throws {
        name = PackageDraft.name(file)
        total = try Files.wrap("cannot read \(file)") { try POSIX.status(file).size }
        self.report = report
        throttle = Mutex(ProgressThrottle(size: total, now: .now))
    }

    func moved(to count: Int64) async throws {
        guard throttle.withLock({ $0.shouldReport(count, now: .now) }) else { return }
        try await report(PackageProgress(file: name, current: count, total: total))
    }
}
