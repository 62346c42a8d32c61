internal import Core
internal import HTTPTypes
internal import Hub
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore
internal import OCI

/// The routes that manage stored models.
struct ModelRoutes: Sendable {
    let transfers: Transfers
    let scheduler: Scheduler
    let activity: Activity

    private var store: ModelStore { transfers.store }

    private static let maximumRequest = 64 << 10

    func add(to router: Router<Context>) {
        router.get("/models") { _, _ in
            Response.json(.array(try store.models().map(\.json)))
        }
        let archives = ArchiveRoutes(store: store, activity: activity)
        router.get("/models/**") { request, context in
            let parts = context.parameters.getCatchAll()
            if parts.count > 1, parts.last == "export" { return try archives.export(Self.name(parts.dropLast())) }
            let name = Self.name(parts)
            guard Self.flag("remote", in: request) else { return Response.json(try store.model(named: name).json) }
            guard !HubReference.isHub(name) else {
                return Response.json(try await store.remote(name, in: transfers.hub(nil)))
            }
            return Response.json(
                try await ModelStore.remote(ModelReference(parsing: name), in: transfers.registry).json)
        }
        router.delete("/models/**") { request, context in
            let parts = context.parameters.getCatchAll()
            if parts == ["purge"] { return try purge() }
            let name = Self.name(parts)
            return try remove(name, force: Self.flag("force", in: request))
        }
        router.post("/models/**") { request, context in
            let parts = context.parameters.getCatchAll()
            let name = Self.name(parts.dropLast())
            switch parts.last ?? "" {
            case "create" where parts.count == 1: return try await pull(request, context)
            case "prune" where parts.count == 1: return try prune()
            case "load" where parts.count == 1: return try await archives.load(request, context)
            case "push" where parts.count > 1: return try await push(name, request, context)
            case "tag" where parts.count > 1: return try tag(name, request)
            case "repackage" where parts.count > 1: return try await repackage(name, request)
            case let action: throw Failure(.notFound, "unknown action \"\(action)\"")
            }
        }
    }

    /// A model's name from the path it came in; names have slashes of their own.
    static func name(_ parts: some Collection<Substring>) -> String {
        parts.map(decode).joined(separator: "/")
    }

    /// Resolves percent escapes; what is none stays as it is.
    static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, let value = UInt8(String(digits) ?? "", radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A query parameter that is on when it is there, unless it says false.
    static func flag(_ name: String, in request: Request) -> Bool {
        guard let value = request.uri.queryParameters[name[...]] else {
            return (request.uri.query ?? "").split(separator: "&").contains { $0 == name }
        }
        return value.isEmpty || value == "true" || value == "1"
    }

    private func remove(_ name: String, force: Bool) throws -> Response {
        let removals = try store.remove(named: name, force: force)
        let deleted = removals.compactMap { if case .deleted(let id) = $0 { id.description } else { nil } }
        if !deleted.isEmpty { scheduler.unload(models: Set(deleted)) }
        return .json(
            .array(
                removals.map { removal in
                    switch removal {
                    case .untagged(let tag): ["Untagged": .string(tag)]
                    case .deleted(let id): ["Deleted": .string(id.description)]
                    }
                }))
    }

    private func purge() throws -> Response {
        try store.purge()
        scheduler.unloadAll()
        return Response(status: .ok)
    }

    private func prune() throws -> Response {
        let pruned = try store.prune()
        return .json([
            "deleted": .array(pruned.deleted.map { .string($0.description) }), "leftovers": .int(pruned.leftovers),
            "reclaimed": .int(pruned.bytes),
        ])
    }

    private func body(of request: Request) async throws -> JSON {
        do { return try JSON(parsing: try await request.body.collect(upTo: Self.maximumRequest)) } catch is Failure {
            throw Failure(.invalidArgument, "invalid request body")
        }
    }

    private func pull(_ request: Request, _ context: Context) async throws -> Response {
        let body = try await body(of: request)
        guard let from = body["from"]?.string, !from.isEmpty else {
            throw Failure(.invalidArgument, "invalid request body: from, the model's name, is missing or empty")
        }
        let stream = ProgressStream(
            mode: .pull, transfer: try transfers.pull(from, token: body["bearer-token"]?.string))
        return try await stream.respond(to: request, use: activity.begin(), context: context)
    }

    private func push(_ name: String, _ request: Request, _ context: Context) async throws -> Response {
        let stream = ProgressStream(mode: .push, transfer: try transfers.push(name))
        return try await stream.respond(to: request, use: activity.begin(), context: context)
    }

    /// A stored model once more, with another context size, under another name.
    private func repackage(_ name: String, _ request: Request) async throws -> Response {
        let body = try await body(of: request)
        guard let target = body["target"]?.string, !target.isEmpty else {
            throw Failure(.invalidArgument, "target is required")
        }
        var recipe = PackageRecipe(.model(name))
        if let size = body["context_size"], size != .null {
            guard let size = size.int else {
                throw Failure(.invalidArgument, "context_size is not a whole number of tokens")
            }
            recipe.contextSize = size
        }
        _ = try await store.package(recipe, as: try ModelReference(parsing: target))
        let message = "Model \"\(name)\" repackaged successfully as \"\(target)\""
        return .json(
            ["message": .string(message), "source": .string(name), "target": .string(target)], status: .created)
    }

    private func tag(_ name: String, _ request: Request) throws -> Response {
        let parameters = request.uri.queryParameters
        guard let repository = parameters["repo"], !repository.isEmpty, let tag = parameters["tag"], !tag.isEmpty else {
            throw Failure(.invalidArgument, "missing repo or tag query parameter")
        }
        let target = "\(repository):\(tag)"
        _ = try store.tag(name, as: try ModelReference(parsing: target))
        let message = "Model \"\(name)\" tagged successfully with \"\(target)\""
        return .json(["message": .string(message), "target": .string(target)], status: .created)
    }
}
