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
    /// Bytes that may still be written where a path lies; nil where the system does not tell.
    package static func freeSpace(at path: FilePath) -> Int64? {
        var info = statvfs()
        guard path.withPlatformString({ statvfs($0, &info) }) == 0 else { return nil }
        return Int64(
            clamping: UInt64(info.f_bavail).multipliedReportingOverflow(by: UInt64(info.f_frsize)).partialValue)
    }

    /// Begins to write a part of a file to the disk, so that synchronising it later has little left to do.
    package static func startWriting(_ descriptor: FileDescriptor, from offset: Int64, count: Int64) {
        wharf_start_writeback(descriptor.rawValue, offset, count)
    }

    /// Lets go of the parts of the program that only its start needed: a third of what a daemon would hold for good.
    package static func releaseProgramPages() { wharf_release_program_pages() }

    /// What an open file is, whatever its name is by now.
    package static func inode(_ descriptor: FileDescriptor) throws -> UInt64 {
        var info = stat()
        guard fstat(descriptor.rawValue, &info) == 0 else { throw Errno(rawValue: errno) }
        return UInt64(info.st_ino)
    }

    /// Lets this process have as many open files as the system allows it, up to `most`; systems start with few.
    ///
    /// - Returns: how many it may have, as far as that is known.
    @discardableResult
    package static func raiseDescriptorLimit(to most: Int) -> Int? {
        let limit = wharf_raise_descriptor_limit(most)
        return limit < 0 ? nil : limit
    }
}
