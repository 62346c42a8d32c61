package import SystemPackage

extension Files {
    /// Bytes of all files below a path; a file with several names counts once, links are not followed. What cannot be
    /// read, or goes away meanwhile, counts nothing.
    package static func diskUsage(_ path: FilePath) -> Int64 {
        var counted = Set<UInt64>()
        var total: Int64 = 0
        var waiting = [path]
        while let path = waiting.popLast() {
            guard let status = try? POSIX.status(path, following: false) else { continue }
            if status.isDirectory {
                waiting += ((try? POSIX.list(path)) ?? []).map { path.appending($0) }
            } else if status.isRegular, status.links == 1 || counted.insert(status.inode).inserted {
                total += status.size
            }
        }
        return total
    }
}
