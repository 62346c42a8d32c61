internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore
internal import OCI
internal import ServiceLifecycle

/// `GET /engines/requests`: the latest requests, and with `Accept: text/event-stream` those that come.
///
/// They hold what people have written, so only the unix socket shows them, unless the daemon was told otherwise.
struct RequestRoutes: Sendable {
    let recorder: RequestRecorder
    let store: ModelStore
    /// Whether TCP shows them too.
    let isOpen: Bool

    func add(to router: Router<Context>) {
        router.get("/engines/requests") { request, context in
            guard isOpen || context.isUnixSocket else {
                throw Failure(
                    .forbidden, "requests are shown on the Unix socket only",
                    advice: "Start the model runner with --show-requests to have them on TCP too.")
            }
            let model = try modelID(request)
            if request.method != .head, request.headers[.accept]?.contains("text/event-stream") == true {
                return try await follow(
                    model, includeExisting: LogRoutes.boolean("include_existing", in: request), context)
            }
            let models: [JSON] = recorder.records(ofModel: model).map { id, records in
                [
                    "count": .int(records.count), "model": .string(id),
                    "config": records.last { $0.load != nil }?.load?.json ?? .object(.init()),
                    "records": .array(records.map(\.json)),
                ]
            }
            return .json(.array(models))
        }
    }

    /// The id of the model that was asked for; nil for all.
    private func modelID(_ request: Request) throws -> String? {
        guard let name = request.uri.queryParameters["model"], !name.isEmpty else { return nil }
        return try store.model(named: String(name)).id.description
    }

    private func follow(_ model: String?, includeExisting: Bool, _ context: Context) async throws -> Response {
        let follower = try recorder.follow()
        let disconnection = try await context.disconnection()
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                // The stream ends with its client or the daemon: nothing else would end it.
                let watching = Task {
                    try? await disconnection.value
                    follower.end()
                }
                defer {
                    watching.cancel()
                    follower.end()
                }
                try await writer.write(Self.event("connected", ["message": "Connected to request stream"]))
                if includeExisting {
                    for record in follower.existing where model == nil || record.modelID == model {
                        try await writer.write(Self.event("existing_request", record.json))
                    }
                }
                try await withGracefulShutdownHandler {
                    for await record in follower.new where model == nil || record.modelID == model {
                        try await writer.write(Self.event("new_request", record.json))
                    }
                } onGracefulShutdown: {
                    follower.end()
                }
                try await writer.finish(nil)
            })
    }

    private static func event(_ name: String, _ json: JSON) -> ByteBuffer {
        ByteBuffer(string: "event: \(name)\ndata: \(json.text)\n\n")
    }
}
