package import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension POSIX {
    /// Ends the process here and now: nothing is flushed or put away.
    package static func exitAtOnce(_ code: Int32) -> Never { _exit(code) }

    /// Waits until something can be read, the end of the input included.
    ///
    /// - Returns: false when `milliseconds` have passed without.
    package static func isReadable(_ descriptor: FileDescriptor, within milliseconds: Int32) throws -> Bool {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        let count = poll(&entry, 1, milliseconds)
        if count < 0 && errno != EINTR { throw Errno(rawValue: errno) }
        return count > 0
    }

    /// Whether a short write (Linux: up to 4096 bytes) would not have to wait for a reader, or would fail at once.
    package static func isWritable(_ descriptor: FileDescriptor) -> Bool {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) != 0
    }

    /// Waits until something can be written, or the descriptor has failed.
    package static func waitUntilWritable(_ descriptor: FileDescriptor) {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
        while poll(&entry, 1, -1) < 0, errno == EINTR {}
    }

    /// A write to a pipe that nobody reads fails from now on, instead of ending the process.
    package static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

    #if os(Linux)
        /// Connects to a Unix socket that has a name instead of a file.
        ///
        /// - Parameter name: without the leading `@` of the usual notation.
        /// - Returns: the connected descriptor, which is the caller's to close.
        /// - Throws: `Errno`; `.fileNameTooLong` for a name that no socket can have.
        package static func connect(abstractSocket name: String) throws -> FileDescriptor {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            // The name is the bytes after a first zero byte; its end is told by the length alone.
            let bytes = [0] + Array(name.utf8)
            guard bytes.count <= MemoryLayout.size(ofValue: address.sun_path) else { throw Errno.fileNameTooLong }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw Errno(rawValue: errno) }
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Self.connectSocket(descriptor, $0, socklen_t(start + bytes.count))
                }
            }
            guard result == 0 else {
                let error = Errno(rawValue: errno)
                close(descriptor)
                throw error
            }
            return FileDescriptor(rawValue: descriptor)
        }

        private static func connectSocket(
            _ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
        ) -> Int32 {
            #if canImport(Musl)
                Musl.connect(descriptor, address, length)
            #else
                Glibc.connect(descriptor, address, length)
            #endif
        }
    #endif
}
