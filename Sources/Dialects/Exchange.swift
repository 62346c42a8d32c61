package import Core
package import NIOCore

/// A request made ready for an engine, and what is to be made of the answer.
package struct Exchange: Sendable {
    /// What an engine is asked, by its path.
    package enum Operation: String, Sendable {
        case chat = "/v1/chat/completions"
        case completion = "/v1/completions"
        case embedding = "/v1/embeddings"
        case reranking = "/v1/rerank"
    }

    package var model: String
    package var operation: Operation
    /// The engine's request. Bytes that only pass through are the client's own.
    package var body: ByteBuffer
    /// nil passes the answer on as it comes.
    package var translation: (any Translation)?
    /// What the request wants of the runner.
    package var wishes: RunnerWishes

    package init(
        model: String, operation: Operation, body: ByteBuffer, translation: (any Translation)?,
        wishes: RunnerWishes = RunnerWishes()
    ) {
        self.model = model
        self.operation = operation
        self.body = body
        self.translation = translation
        self.wishes = wishes
    }
}

/// How a request wants its model to be run, where it says so.
package struct RunnerWishes: Sendable, Hashable {
    /// How long the model stays loaded afterwards, as the request has it: a duration's text or seconds.
    package var keepAlive: JSON?
    /// Tokens of context.
    package var contextSize: Int?

    package init(keepAlive: JSON? = nil, contextSize: Int? = nil) {
        self.keepAlive = keepAlive
        self.contextSize = contextSize
    }
}
