internal import NIOCore

/// What went wrong in a stream, until it can be said: first goes out what came before it, however the stream was cut.
struct Fault: Sendable {
    private var error: (any Error)?

    /// Says what went wrong before.
    func rethrow() throws {
        if let error { throw error }
    }

    /// - Throws: the error, where there is nothing that must go out first.
    mutating func keep(_ error: any Error, after out: ByteBuffer) throws {
        if out.readableBytes == 0 { throw error }
        self.error = error
    }
}
