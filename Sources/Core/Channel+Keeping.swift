package import NIOCore

extension Channel {
    /// Keeps a value until the channel is closed.
    ///
    /// A server that ends drops connections it has accepted and nobody handles yet; NIO traps where their asynchronous
    /// side goes before they are closed.
    package func keepUntilClosed(_ value: some Sendable) {
        closeFuture.whenComplete { _ in withExtendedLifetime(value) {} }
    }
}
