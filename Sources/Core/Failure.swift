internal import NIOCore
internal import NIOPosix
internal import SystemPackage

/// The one error type of the product: what failed, of which kind, why, and what to do about it.
///
/// The kind decides the HTTP status and the exit code in one table each; the text is one line for a person.
package struct Failure: Error, Sendable {
    package enum Code: String, Sendable, CaseIterable {
        case invalidArgument
        case notFound
        case alreadyExists
        case conflict
        case unauthorized
        case forbidden
        case unsupported
        /// Something that must be there first is not: an engine, a daemon, a tool.
        case failedPrecondition
        case resourceExhausted
        /// The bytes are not what they claim to be.
        case corrupted
        case unavailable
        case timedOut
        case cancelled
        case internalError
    }

    package let code: Code
    /// What failed and where, without a full stop.
    package let message: String
    package let cause: (any Error)?
    /// What to do about it, as a sentence.
    package let advice: String?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil, advice: String? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
        self.advice = advice
    }

    /// The same failure seen from further out: keeps the kind, prefixes what was being done.
    package func during(_ what: String) -> Failure {
        Failure(code, "\(what): \(message)", cause: cause, advice: advice)
    }
}

extension Failure: CustomStringConvertible {
    /// `message: cause. advice`, on one line.
    package var description: String {
        var text = message
        if let cause { text += ": \(Failure.text(of: cause))" }
        if let advice { text += ". \(advice)\(advice.hasSuffix(".") || advice.hasSuffix("?") ? "" : ".")" }
        return String(text.map { $0.isNewline ? " " : $0 })
    }

    /// A readable text for any error, also those whose description is only a type name.
    package static func text(of error: any Error) -> String {
        if let failure = error as? Failure { return failure.description }
        switch error {
        case is CancellationError: return "cancelled"
        case let error as IOError: return Errno(rawValue: error.errnoCode).description
        case is SocketAddressError.UnknownHost: return "the host name is unknown"
        case let error as NIOConnectionError:
            // One for each address that was tried; the first says enough.
            if let first = error.connectionErrors.first { return text(of: first.error) }
            return error.dnsAError == nil && error.dnsAAAAError == nil ? "no connection" : "the host name is unknown"
        default: return String(describing: error)
        }
    }

    /// Any error as a failure; an unknown one is internal.
    package static func wrapping(_ error: any Error, _ message: String) -> Failure {
        switch error {
        case let failure as Failure: failure.during(message)
        case is CancellationError: Failure(.cancelled, message)
        default: Failure(.internalError, message, cause: error)
        }
    }
}
