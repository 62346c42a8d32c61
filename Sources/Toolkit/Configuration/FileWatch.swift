internal import Core
package import SystemPackage

/// Tells when files change: by looking at them now and then, which works on every file system, and whether an editor
/// writes a file in place, renames another one over it, or removes it for a moment.
package struct FileWatch: Sendable {
    /// What is compared of a file; nil where there is none.
    struct Mark: Sendable, Hashable {
        let inode: UInt64
        let size: Int64
        let seconds: Int64
        let nanoseconds: Int64
    }

    private let paths: [FilePath]
    private var marks: [Mark?]

    package init(_ paths: [FilePath]) {
        self.paths = paths
        marks = paths.map(Self.mark)
    }

    /// Looks once more.
    ///
    /// - Returns: whether anything has changed since the last time.
    package mutating func look() -> Bool {
        let now = paths.map(Self.mark)
        defer { marks = now }
        return now != marks
    }

    private static func mark(_ path: FilePath) -> Mark? {
        (try? POSIX.status(path)).map {
            Mark(inode: $0.inode, size: $0.size, seconds: $0.modified, nanoseconds: $0.modifiedNanoseconds)
        }
    }

    /// Calls `body` each time something has changed and then stayed as it is for one interval; until cancelled.
    package static func run(
        _ paths: [FilePath], every interval: Duration = .milliseconds(250), _ body: @Sendable () async -> Void
    ) async {
        var watch = FileWatch(paths)
        var isChanged = false
        while !Task.isCancelled {
            do { try await Task.sleep(for: interval) } catch { return }
            // What is being written is not read half-way.
            if watch.look() {
                isChanged = true
            } else if isChanged {
                isChanged = false
                await body()
            }
        }
    }
}
