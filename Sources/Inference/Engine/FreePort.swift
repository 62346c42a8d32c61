internal import NIOCore
internal import NIOPosix

/// A port of 127.0.0.1 that nobody listens on. Somebody may take it before it is used, which the engine then says.
enum FreePort {
    static func find() async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }
}
