import Core
import NIOCore
import SystemPackage
import Testing

@testable import Toolkit

@Suite struct FileWatchTests {
    @Test func everyWayOfChangingAFileIsSeen() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "watch")
        defer { try? Files.remove(folder) }
        let file = folder.appending("f")
        var watch = FileWatch([file])
        var seen: [Bool] = []
        func look() { seen.append(watch.look()) }
        look()
        try Files.write(ByteBuffer(string: "a"), to: file)
        look()
        look()
        // Renamed over the old one, with the same length.
        try Files.write(ByteBuffer(string: "b"), to: file)
        look()
        let open = try FileDescriptor.open(file, .writeOnly, options: [.append])
        _ = try open.closeAfter { try open.writeAll("c".utf8) }
        look()
        try Files.remove(file)
        look()
        look()
        #expect(seen == [false, true, false, true, true, true, false])
    }
}
