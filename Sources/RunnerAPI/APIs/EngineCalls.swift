internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore

/// What the routes of all APIs share: from a request in an engine's words to its answer.
struct EngineCalls: Sendable {
    let store: ModelStore
    let planner: LoadPlanner
    let relay: Relay
    /// Bytes a request may have: pictures come inline.
    let maximumRequest: Int

    /// A request that only wants its model loaded says so with this.
    private static let preloadOnly = HTTPField.Name("X-Preload-Only")

    static func isPreload(_ request: Request) -> Bool {
        preloadOnly.flatMap { request.headers[$0] }?.lowercased() == "true"
    }

    /// The whole body.
    ///
    /// - Throws: `NIOTooManyBytesError` beyond the limit, before a byte has been read where the length is told.
    func body(of request: Request) async throws -> ByteBuffer {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maximumRequest {
            throw NIOTooManyBytesError(maxBytes: maximumRequest)
        }
        return try await request.body.collect(upTo: maximumRequest)
    }

    /// The backend that a path names; nil where it names none.
    func backend(_ context: Context) throws -> String? {
        try context.parameters.get("backend").map { try planner.name(of: $0) }
    }

    func load(_ model: Model, _ operation: Exchange.Operation, _ wishes: RunnerWishes, backend: String?) throws -> Load
    {
        var overrides = LoadOverrides(contextSize: wishes.contextSize)
        if let keepAlive = wishes.keepAlive {
            guard let value = KeepAlive(keepAlive) else {
                throw Failure(
                    .invalidArgument,
                    "keep_alive must be a number of seconds or a duration, not \(keepAlive.text.prefix(40))",
                    advice: "Write \"5m\", 0 for none, or -1 for ever")
            }
            overrides.keepAlive = value
        }
        return try planner.load(model, mode: operation.mode, backend: backend, overrides: overrides)
    }

    /// Sends a request to the engine of its model, and gives back what becomes of the answer.
    ///
    /// - Parameter known: the model, where it has been looked up already.
    func send(
        _ exchange: Exchange, to known: Model? = nil, of request: Request, query: String = "", _ context: Context
    ) async throws -> Response {
        let model = try known ?? store.model(named: exchange.model)
        let load = try load(model, exchange.operation, exchange.wishes, backend: backend(context))
        let path = exchange.operation.rawValue
        let body = try RequestDefaults(model.customization).apply(to: exchange.body, path: path)
        return try await relay.respond(
            to: request, body: body, path: path + query, load: load, context: context,
            translation: exchange.translation)
    }

    /// Loads a model and asks it nothing.
    func preload(
        _ name: String, _ operation: Exchange.Operation, _ wishes: RunnerWishes = .init(), _ context: Context
    ) async throws {
        let load = try load(store.model(named: name), operation, wishes, backend: backend(context))
        try await relay.preload(load, context: context)
    }
}

extension Exchange.Operation {
    var mode: Load.Mode {
        switch self {
        case .chat, .completion: .completion
        case .embedding: .embedding
        case .reranking: .reranking
        }
    }
}

extension Response {
    init(_ answer: WholeAnswer) {
        self.init(
            status: .init(code: answer.status), headers: [.contentType: answer.type],
            body: ResponseBody(byteBuffer: answer.body))
    }
}
