package import Core
internal import NIOCore

extension WholeAnswer {
    /// The engine's refusal in an API's shape.
    package func refused(for api: API) -> WholeAnswer {
        let refusal = EngineRefusal(status: status, body: body)
        return WholeAnswer(status: refusal.status, api.error(refusal))
    }

    /// For what was thrown while the answer was read.
    init(_ error: any Error, _ api: API) {
        let failure = error as? Failure ?? Failure.wrapping(error, "the engine's answer is not understood")
        self.init(failure: failure, api)
    }

    package init(failure: Failure, _ api: API) {
        self.init(status: failure.status, api.error(failure, status: failure.status))
    }
}

extension Failure {
    /// The HTTP status of each kind of failure.
    package var status: Int {
        switch code {
        case .invalidArgument: 400
        case .unauthorized: 401
        case .forbidden: 403
        case .notFound: 404
        case .alreadyExists, .conflict: 409
        case .failedPrecondition: 412
        case .unsupported: 422
        case .cancelled, .corrupted, .internalError: 500
        case .resourceExhausted, .unavailable: 503
        case .timedOut: 504
        }
    }
}
