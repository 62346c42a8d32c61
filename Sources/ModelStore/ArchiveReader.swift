internal import Core
internal import NIOCore
internal import OCI
internal import SystemPackage

/// The entries of an archive in the store and their bytes, out of gzip where it is packed.
final class ArchiveReader {
    /// What an archive may hold, packed: texts shrink to a tenth, weights hardly at all, and bombs to a thousandth.
    private static let allowance: Int64 = 64 << 20
    private static let ratio: Int64 = 20
    private static let piece = 1 << 20

    private let path: FilePath
    private let size: Int64
    private let descriptor: SystemPackage.FileDescriptor
    private let gunzip: Gunzip?
    private var tar = TarReader()
    private var plain: Int64 = 0
    private var place: Int64 = 0

    init(_ path: FilePath, size: Int64, isPacked: Bool) throws {
        self.path = path
        self.size = size
        gunzip = isPacked ? try Gunzip() : nil
        descriptor = try Files.wrap("cannot read \(path)") {
            try SystemPackage.FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        }
    }

    deinit { try? descriptor.close() }

    /// - Returns: nil at the archive's end.
    /// - Throws: `.corrupted` for what is no such archive; `.unsupported` for links and devices; `.resourceExhausted` for
    ///   one that is small only as long as it is packed.
    func next() throws -> TarReader.Event? {
        do { return try event() } catch let failure as Failure where failure.code != .notFound {
            throw Failure(failure.code, "the model has an archive that is not unpacked: \(failure.message)")
        }
    }

    private func event() throws -> TarReader.Event? {
        while true {
            if let event = try tar.next() { return event }
            if let bytes = try gunzip?.next() {
                plain += Int64(bytes.readableBytes)
                let (limit, overflow) = size.multipliedReportingOverflow(by: Self.ratio)
                guard overflow || plain <= max(limit, Self.allowance) else {
                    throw Failure(.resourceExhausted, "\(ByteCount(size)) become more than \(ByteCount(plain))")
                }
                tar.append(bytes)
                continue
            }
            let bytes = try read()
            guard bytes.readableBytes > 0 else {
                try gunzip?.finish()
                try tar.finish()
                return nil
            }
            if let gunzip { gunzip.append(bytes) } else { tar.append(bytes) }
        }
    }

    private func read() throws -> ByteBuffer {
        var bytes = ByteBuffer()
        try Files.wrap("cannot read \(path)") {
            _ = try bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.piece) {
                try descriptor.read(
                    fromAbsoluteOffset: place, into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(Self.piece)))
            }
        }
        place += Int64(bytes.readableBytes)
        return bytes
    }

    /// Leaves out the bytes of the entry, without reading them where that is possible.
    func skip() throws {
        guard gunzip == nil else { return }
        let rest = tar.skip()
        guard rest <= size - place else { throw Failure(.corrupted, "the model has an archive that is cut off") }
        place += rest
    }
}
