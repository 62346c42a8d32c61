internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import ModelStore
internal import NIOCore
internal import OCI
internal import SystemPackage

/// Ollama's routes that bring models in and out: pull, push, create, and the blobs that models are created from.
struct OllamaTransferRoutes: Sendable {
    let transfers: Transfers
    let activity: Activity

    private var store: ModelStore { transfers.store }

    func add(to router: Router<Context>) {
        router.post("/api/pull") { request, context in
            let body = try await OllamaModelRoutes.body(request)
            let work = try transfers.pull(try OllamaModelRoutes.model(in: body), token: nil)
            return try await transfer(.pull, work, body, request, context)
        }
        router.post("/api/push") { request, context in
            let body = try await OllamaModelRoutes.body(request)
            return try await transfer(
                .push, try transfers.push(try OllamaModelRoutes.model(in: body)), body, request, context)
        }
        router.post("/api/create") { request, context in try await create(request, context) }
        router.head("/api/blobs/:digest") { _, context in
            Response(status: store.file(of: try Self.digest(context)) == nil ? .notFound : .ok)
        }
        router.post("/api/blobs/:digest") { request, context in
            let digest = try Self.digest(context)
            let size = request.headers[.contentLength].flatMap { Int64($0) }
            let body = request.body
            try await context.whileConnected {
                do { try await store.store(body, as: digest, size: size) } catch let failure as Failure
                    where failure.code == .corrupted
                {
                    throw Failure(.invalidArgument, failure.message)
                }
            }
            return Response(status: .created)
        }
    }

    private static func digest(_ context: Context) throws -> Digest {
        try Digest(parsing: ModelRoutes.decode(try context.parameters.require("digest")[...]))
    }

    private func transfer(
        _ mode: ProgressLine.Mode, _ work: @escaping Transfers.Work, _ body: JSON, _ request: Request,
        _ context: Context
    ) async throws -> Response {
        if body["stream"]?.bool == false {
            _ = try await context.whileConnected { try await work { _ in } }
            return .json(["status": "success"])
        }
        let stream = ProgressStream(mode: mode, style: .ollama, transfer: work)
        return try await stream.respond(to: request, use: activity.begin(), context: context)
    }

    private func create(_ request: Request, _ context: Context) async throws -> Response {
        let body = try await OllamaModelRoutes.body(request)
        let name = try ModelReference(parsing: try OllamaModelRoutes.model(in: body))
        let recipe = try OllamaRecipe(store: store).recipe(body)
        _ = try await context.whileConnected { try await store.package(recipe, as: name) }
        if body["stream"]?.bool == false { return .json(["status": "success"]) }
        var lines = ByteBuffer()
        for status in ["reading model metadata", "writing manifest", "success"] {
            lines.writeImmutableBuffer(OllamaProgress.line(["status": .string(status)]))
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"], body: ResponseBody(byteBuffer: lines))
    }
}

/// A request to `/api/create` as a recipe.
struct OllamaRecipe {
    let store: ModelStore

    /// - Throws: `.invalidArgument` for what is malformed or not supported, by name; `.notFound` for blobs.
    func recipe(_ body: JSON) throws -> PackageRecipe {
        if let kind = body["quantize"]?.string, !kind.isEmpty {
            throw Failure(.invalidArgument, "quantize is not supported: no weights are changed here")
        }
        var recipe = PackageRecipe(try source(body))
        recipe.adapters = try files(body["adapters"], "adapters").map(\.path)
        if let text = try text(body, "system") { recipe.system = text }
        if let text = try text(body, "template") { recipe.goTemplate = text }
        recipe.licences = try texts(body["license"]).map { .inline($0) }
        for (name, value) in try members(body["parameters"], "parameters") {
            for value in value.array ?? [value] {
                try recipe.parameters.set(name, to: value.string ?? value.text)
            }
        }
        if let messages = body["messages"], !messages.isNull {
            do { recipe.messages = try Customization.messages(messages.bytes) } catch {
                throw Failure(.invalidArgument, "messages must be a list of roles and contents", cause: error)
            }
        }
        return recipe
    }

    private func source(_ body: JSON) throws -> PackageRecipe.Source {
        if let from = try text(body, "from") { return .model(from) }
        let weights = try files(body["files"], "files")
        guard let first = weights.first else { throw Failure(.invalidArgument, "from or files is required") }
        guard weights.count == 1, first.name.lowercased().hasSuffix(".gguf") || (try? GGUF(reading: first.path)) != nil
        else {
            throw Failure(.invalidArgument, "files must be one GGUF file", advice: "docker model package takes others")
        }
        return .gguf(first.path)
    }

    private func files(_ json: JSON?, _ what: String) throws -> [(name: String, path: FilePath)] {
        try members(json, what).map { name, value in
            let digest = try Digest(parsing: value.string ?? "")
            guard let path = store.file(of: digest) else {
                throw Failure(.invalidArgument, "the blob of \(what).\(name.prefix(80)) is not here: \(digest)")
            }
            return (name, path)
        }
    }

    private func members(_ json: JSON?, _ what: String) throws -> [(name: String, value: JSON)] {
        guard let json, !json.isNull else { return [] }
        guard let object = json.object else { throw Failure(.invalidArgument, "\(what) must be an object") }
        return object.members
    }

    private func text(_ body: JSON, _ name: String) throws -> String? {
        guard let json = body[name], !json.isNull else { return nil }
        guard let text = json.string else { throw Failure(.invalidArgument, "\(name) must be a string") }
        return text.isEmpty ? nil : text
    }

    private func texts(_ json: JSON?) throws -> [String] {
        guard let json, !json.isNull else { return [] }
        let list = json.array ?? [json]
        let texts = list.compactMap(\.string)
        guard texts.count == list.count else {
            throw Failure(.invalidArgument, "license must be a string or a list of strings")
        }
        return texts
    }
}
