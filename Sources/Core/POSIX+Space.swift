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
}
