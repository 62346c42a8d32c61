internal import Core
internal import NIOCore
internal import NIOPosix
internal import SystemPackage

/// The socket on which docker holds a connection to its plugin for as long as the plugin is to run.
package enum PluginSocket {
    /// The variable in which docker names the socket.
    package static let variable = "DOCKER_CLI_PLUGIN_SOCKET"

    /// Waits until docker closes the connection.
    ///
    /// - Parameter name: as docker writes it; `@` starts the name of a socket without a file.
    /// - Returns: false where there is no such socket, or the wait was cancelled.
    package static func waitUntilClosed(_ name: String) async -> Bool {
        guard let channel = try? await connect(name) else { return false }
        return await withTaskCancellationHandler {
            try? await channel.closeFuture.get()
            return !Task.isCancelled
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private static func connect(_ name: String) async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        #if os(Linux)
            if name.first == "@" {
                // NIO ends paths with a zero byte, which would be part of such a name.
                let descriptor = try POSIX.connect(abstractSocket: String(name.dropFirst()))
                do {
                    return try await bootstrap.withConnectedSocket(descriptor.rawValue).get()
                } catch {
                    try? descriptor.close()
                    throw error
                }
            }
        #endif
        return try await bootstrap.connect(unixDomainSocketPath: name).get()
    }
}
