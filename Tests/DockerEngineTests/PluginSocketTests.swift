#if os(Linux)
    import Core
    import Glibc
    import SystemPackage
    import Testing

    @testable import DockerEngine

    @Suite struct PluginSocketTests {
        /// A socket that listens under an abstract name, as docker's does.
        private struct Listener {
            let name: String
            let descriptor: FileDescriptor

            init() throws {
                name = "wharf_test_\(POSIX.processID)_\(UInt64.random(in: 0 ... .max))"
                var address = sockaddr_un()
                address.sun_family = sa_family_t(AF_UNIX)
                let bytes = [0] + Array(name.utf8)
                withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
                let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
                let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
                descriptor = FileDescriptor(rawValue: number)
                let bound = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(number, $0, length) }
                }
                try #require(bound == 0 && listen(number, 8) == 0)
            }

            /// Not by waiting in the kernel: whoever connects needs the threads that would wait.
            func accept() async throws -> FileDescriptor {
                while true {
                    let number = Glibc.accept(descriptor.rawValue, nil, nil)
                    if number >= 0 { return FileDescriptor(rawValue: number) }
                    try #require(errno == EAGAIN)
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
        }

        @Test func dockersClosingIsSeen() async throws {
            let listener = try Listener()
            async let closed = PluginSocket.waitUntilClosed("@\(listener.name)")
            let connection = try await listener.accept()
            try connection.close()
            #expect(await closed)
            try listener.descriptor.close()
        }

        @Test func whatDockerSendsIsNoClosing() async throws {
            let listener = try Listener()
            async let closed = PluginSocket.waitUntilClosed("@\(listener.name)")
            let connection = try await listener.accept()
            try connection.writeAll([UInt8](repeating: 120, count: 100_000))
            try connection.close()
            #expect(await closed)
            try listener.descriptor.close()
        }

        @Test func aCancelledWaitEnds() async throws {
            let listener = try Listener()
            let waiting = Task { await PluginSocket.waitUntilClosed("@\(listener.name)") }
            let connection = try await listener.accept()
            waiting.cancel()
            #expect(await waiting.value == false)
            try connection.close()
            try listener.descriptor.close()
        }

        @Test(arguments: [
            "@wharf_test_nobody_listens", "/nowhere/at/all.sock", "", "@", "@" + String(repeating: "x", count: 200),
        ])
        func aSocketThatIsGoneIsIgnored(_ name: String) async {
            #expect(await PluginSocket.waitUntilClosed(name) == false)
        }
    }
#endif
