internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// OpenAI's Responses API: answers that are kept for a while, so that the next request can go on from them.
struct ResponsesRoutes: Sendable {
    let calls: EngineCalls
    let shelf = Shelf()

    final class Shelf: Sendable {
        private let shelf = Mutex(ResponseShelf())
        private let epoch = ContinuousClock.now

        private var now: Duration { ContinuousClock.now - epoch }

        func put(_ response: StoredResponse) { shelf.withLock { $0.put(response, at: now) } }
        func get(_ id: String) throws -> StoredResponse { try shelf.withLock { try $0.get(id, at: now) } }
        func delete(_ id: String) throws { try shelf.withLock { try $0.delete(id, at: now) } }
    }

    func add(to router: Router<Context>) {
        for prefix in OpenAIRoutes.prefixes + ["", "/engines"] {
            router.post("\(prefix)/responses") { try await create($0, $1) }
            router.get("\(prefix)/responses/:id") { request, context in
                if ModelRoutes.flag("stream", in: request) {
                    throw Failure(
                        .invalidArgument, "a finished response is not streamed again", advice: "Leave stream out")
                }
                return Response.json(try shelf.get(Self.id(context)).response)
            }
            router.get("\(prefix)/responses/:id/input_items") { request, context in
                try items(Self.id(context), request)
            }
            router.post("\(prefix)/responses/:id/cancel") { _, context -> Response in
                _ = try shelf.get(Self.id(context))
                throw Failure(.invalidArgument, "only responses in the background can be cancelled, and there are none")
            }
            router.delete("\(prefix)/responses/:id") { _, context in
                let id = try Self.id(context)
                try shelf.delete(id)
                return Response.json(["id": .string(id), "object": "response.deleted", "deleted": true])
            }
        }
    }

    private static func id(_ context: Context) throws -> String { try context.parameters.require("id") }

    private func create(_ request: Request, _ context: Context) async throws -> Response {
        try await calls.answering(request, context) { body, context in
            let given = try ResponsesRequest(body)
            let before = try given.previous.map { try shelf.get($0).conversation } ?? []
            let isStored = given.isStored
            let exchange = try given.exchange(
                id: Identifier.make("resp_"), created: Timestamp.now.seconds, before: before
            ) { [shelf] in if isStored { shelf.put($0) } }
            return try await calls.send(exchange, of: request, context)
        }
    }

    /// The request's items, the newest first unless asked otherwise.
    private func items(_ id: String, _ request: Request) throws -> Response {
        let parameters = request.uri.queryParameters
        let limit =
            try parameters["limit"].map { text in
                guard let limit = Int(text), (1...100).contains(limit) else {
                    throw Failure(.invalidArgument, "limit must be a number from 1 to 100")
                }
                return limit
            } ?? 20
        var items = try shelf.get(id).items.enumerated().map { index, item in Self.named(item, "item_\(index)") }
        if parameters["order"] != "asc" { items.reverse() }
        if let after = parameters["after"], let place = items.firstIndex(where: { $0["id"]?.string == String(after) }) {
            items.removeFirst(place + 1)
        }
        let page = Array(items.prefix(limit))
        return .json([
            "object": "list", "data": .array(page), "first_id": page.first?["id"] ?? .null,
            "last_id": page.last?["id"] ?? .null, "has_more": .bool(items.count > page.count),
        ])
    }

    private static func named(_ item: JSON, _ id: String) -> JSON {
        guard var object = item.object else { return item }
        if object["id"] == nil { object["id"] = .string(id) }
        if object["type"] == nil { object["type"] = "message" }
        if object["type"] == "message", let text = object["content"]?.string {
            object["content"] = [["type": "input_text", "text": .string(text)]]
        }
        return .object(object)
    }
}
