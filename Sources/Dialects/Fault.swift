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

/// One that goes on to say what came before it went wrong.
protocol FaultKeeping: Translation {
    var fault: Fault { get set }

    /// Writes what the client gets for some bytes of the stream.
    mutating func take(_ bytes: ByteBuffer, _ out: inout ByteBuffer) throws
}

extension FaultKeeping {
    mutating func part(_ bytes: ByteBuffer) throws -> ByteBuffer {
        try fault.rethrow()
        var out = ByteBuffer()
        do { try take(bytes, &out) } catch { try fault.keep(error, after: out) }
        return out
    }
}
