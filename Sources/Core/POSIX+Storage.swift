internal import CPlatform
package import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension POSIX {
    /// Begins to write a part of a file to the disk, so that synchronising it later has little left to do.
    package static func startWriting(_ descriptor: FileDescriptor, from offset: Int64, count: Int64) {
        wharf_start_writeback(descriptor.rawValue, offset, count)
    }

    /// What an open file is, whatever its name is by now.
    package static func inode(_ descriptor: FileDescriptor) throws -> UInt64 {
        var info = stat()
        guard fstat(descriptor.rawValue, &info) == 0 else { throw Errno(rawValue: errno) }
        return UInt64(info.st_ino)
    }
}
