internal import Core
internal import MCP
internal import NIOCore
internal import Synchronization
package import SystemPackage

/// What has been found out about servers: by image digest or address, kept over the process's life.
///
/// Only a hint that saves a question: what turns out to be wrong is forgotten, and a file that cannot be read is empty.
package final class EraVerdicts: Sendable {
    private static let maximum = 1000
    private let file: FilePath?
    private let known: Mutex<[String: EraProbe.Verdict]>

    /// - Parameter file: nil keeps nothing.
    package init(file: FilePath?) {
        self.file = file
        var known: [String: EraProbe.Verdict] = [:]
        if let file, let bytes = try? Files.read(file, limit: 1 << 20), let json = try? JSON(parsing: bytes) {
            for (name, value) in json.object?.members ?? [] {
                guard let revision = value.string.flatMap(Revision.init(rawValue:)) else { continue }
                known[name] = revision.era == .modern ? .modern(revision) : .handshake
            }
        }
        self.known = Mutex(known)
    }

    package func verdict(on key: String) -> EraProbe.Verdict? { known.withLock { $0[key] } }

    /// - Parameter verdict: nil forgets what was known.
    package func note(_ verdict: EraProbe.Verdict?, on key: String) {
        let changed = known.withLock { known -> [String: EraProbe.Verdict]? in
            guard known[key] != verdict else { return nil }
            if known.count >= Self.maximum { known = [:] }
            known[key] = verdict
            return known
        }
        guard let changed, let file else { return }
        let members = changed.sorted { $0.key < $1.key }.map { name, verdict -> (String, JSON) in
            let revision: Revision = if case .modern(let revision) = verdict { revision } else { .init(.latest) }
            return (name, .string(revision.rawValue))
        }
        // A hint that cannot be written is none.
        do {
            try Files.makeDirectory(file.removingLastComponent(), mode: 0o700)
            try Files.write(JSON.object(.init(members)).bytes, to: file, mode: 0o600)
        } catch {}
    }
}
