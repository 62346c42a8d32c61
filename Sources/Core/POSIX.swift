package import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
    internal import MachO.dyld
#endif

/// The few system calls that swift-system does not wrap. The only file that names the C library for files and processes.
package enum POSIX {
    /// Repeats a call that a signal interrupted; throws `Errno` for any other failure.
    @discardableResult
    private static func call(_ body: () -> Int32) throws -> Int32 {
        while true {
            let result = body()
            if result >= 0 { return result }
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
    }

    package static func makeDirectory(_ path: FilePath, mode: UInt16) throws {
        try call { path.withPlatformString { mkdir($0, mode_t(mode)) } }
    }

    package static func rename(_ from: FilePath, to: FilePath) throws {
        try call {
            from.withPlatformString { from in
                to.withPlatformString { to in
                    #if canImport(Darwin)
                        Darwin.rename(from, to)
                    #elseif canImport(Musl)
                        Musl.rename(from, to)
                    #else
                        Glibc.rename(from, to)
                    #endif
                }
            }
        }
    }

    package static func link(_ from: FilePath, to: FilePath) throws {
        try call {
            from.withPlatformString { from in to.withPlatformString { linkat(AT_FDCWD, from, AT_FDCWD, $0, 0) } }
        }
    }

    package static func symbolicLink(at path: FilePath, to target: FilePath) throws {
        try call { target.withPlatformString { target in path.withPlatformString { symlink(target, $0) } } }
    }

    package static func readLink(_ path: FilePath) throws -> FilePath {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let length = path.withPlatformString { readlink($0, &bytes, bytes.count - 1) }
        if length < 0 { throw Errno(rawValue: errno) }
        return FilePath(platformString: bytes)
    }

    package static func removeFile(_ path: FilePath) throws {
        try call { path.withPlatformString { unlink($0) } }
    }

    package static func removeDirectory(_ path: FilePath) throws {
        try call { path.withPlatformString { rmdir($0) } }
    }

    package static func changeMode(_ path: FilePath, _ mode: UInt16) throws {
        try call { path.withPlatformString { chmod($0, mode_t(mode)) } }
    }

    package static func synchronize(_ descriptor: FileDescriptor) throws {
        try call { fsync(descriptor.rawValue) }
    }

    package static func truncate(_ descriptor: FileDescriptor, to size: Int64) throws {
        try call { ftruncate(descriptor.rawValue, off_t(size)) }
    }

    /// Takes or waits for an advisory lock on an open file; it ends with the descriptor, so also with the process.
    ///
    /// - Returns: false when `wait` is false and somebody else holds it.
    package static func lock(_ descriptor: FileDescriptor, exclusive: Bool, wait: Bool) throws -> Bool {
        do {
            try call { flock(descriptor.rawValue, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) }
            return true
        } catch Errno.wouldBlock {
            return false
        }
    }

    /// Names in a directory, `.` and `..` left out, sorted.
    package static func list(_ path: FilePath) throws -> [String] {
        guard let directory = path.withPlatformString({ opendir($0) }) else { throw Errno(rawValue: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                    String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package struct Status: Sendable {
        package var size: Int64
        package var isDirectory: Bool
        package var isRegular: Bool
        package var isSymbolicLink: Bool
        package var isSocket: Bool
        package var mode: UInt16
        package var inode: UInt64
        package var links: Int
        package var userID: UInt32
        package var groupID: UInt32
        /// Seconds since 1970.
        package var modified: Int64
        /// The fraction of that second.
        package var modifiedNanoseconds: Int64
    }

    /// - Parameter following: whether a symbolic link is followed.
    package static func status(_ path: FilePath, following: Bool = true) throws -> Status {
        var info = stat()
        try call { path.withPlatformString { following ? stat($0, &info) : lstat($0, &info) } }
        let kind = info.st_mode & S_IFMT
        #if canImport(Darwin)
            let modified = info.st_mtimespec
        #else
            let modified = info.st_mtim
        #endif
        return Status(
            size: Int64(info.st_size), isDirectory: kind == S_IFDIR, isRegular: kind == S_IFREG,
            isSymbolicLink: kind == S_IFLNK, isSocket: kind == S_IFSOCK, mode: UInt16(info.st_mode & 0o7777),
            inode: UInt64(info.st_ino), links: Int(info.st_nlink),
            userID: info.st_uid, groupID: info.st_gid, modified: Int64(modified.tv_sec),
            modifiedNanoseconds: Int64(modified.tv_nsec))
    }

    package static var processID: Int32 { getpid() }
    package static var parentProcessID: Int32 { getppid() }
    package static var userID: UInt32 { getuid() }

    package static func isTerminal(_ descriptor: FileDescriptor) -> Bool { isatty(descriptor.rawValue) == 1 }

    /// Sends a signal; false when there is no such process.
    @discardableResult
    package static func send(signal: Int32, to process: Int32) -> Bool { kill(process, signal) == 0 }

    package static func environmentVariable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    package static var environment: [String: String] {
        var result: [String: String] = [:]
        var entry = environPointer
        while let pointer = entry?.pointee {
            let text = String(cString: pointer)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            entry = entry?.successor()
        }
        // Services and containers often run without it; the root folder is never what is meant.
        if result["HOME", default: ""].isEmpty, let home = recordedHome { result["HOME"] = home }
        return result
    }

    /// The home folder that the system has on record for this user.
    package static var recordedHome: String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            guard let texts = buffer.baseAddress,
                getpwuid_r(getuid(), &entry, texts, buffer.count, &found) == 0, found != nil, let home = entry.pw_dir
            else { return nil }
            return String(cString: home)
        }
    }

    /// Fills those of the descriptors 0 to 2 that are closed, with `/dev/null`.
    ///
    /// Otherwise the next files and sockets opened get these numbers, and what is printed ends up in them.
    package static func fillStandardDescriptors() {
        while let descriptor = try? FileDescriptor.open("/dev/null", .readWrite) {
            if descriptor.rawValue > FileDescriptor.standardError.rawValue {
                try? descriptor.close()
                return
            }
        }
    }

    private static var environPointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
        #if canImport(Darwin)
            _NSGetEnviron().pointee
        #else
            environ
        #endif
    }

    /// Seconds and nanoseconds since 1970.
    package static var wallClock: (seconds: Int64, nanoseconds: Int64) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return (Int64(time.tv_sec), Int64(time.tv_nsec))
    }

    /// The program's own file, its links resolved.
    package static func executablePath() throws -> FilePath {
        #if canImport(Darwin)
            var size = UInt32(PATH_MAX)
            var bytes = [CChar](repeating: 0, count: Int(size))
            guard _NSGetExecutablePath(&bytes, &size) == 0 else { throw Errno.fileNameTooLong }
            return try resolve(FilePath(platformString: bytes))
        #else
            return try readLink("/proc/self/exe")
        #endif
    }

    /// The absolute path with every link resolved.
    package static func resolve(_ path: FilePath) throws -> FilePath {
        guard let resolved = path.withPlatformString({ realpath($0, nil) }) else { throw Errno(rawValue: errno) }
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }
}
