internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import NIOHTTP1
internal import Terminal

struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the models on this machine", usage: "docker model list [OPTIONS] [MODEL]",
        aliases: ["ls"])

    @Flag(help: "List the models as JSON.") var json = false
    @Flag(help: "List the models in the format of OpenAI's API.") var openai = false
    @Flag(name: .shortAndLong, help: "Only show the models' IDs.") var quiet = false
    @Option(
        name: .customLong("openaiurl"), help: ArgumentHelp("List the models of another server's API.", valueName: "url")
    )
    var openAIURL: String?
    @Argument(help: "Only this model.") var model: String?

    func validate() throws {
        if quiet && openai { throw ValidationError("--quiet and --openai cannot be used together") }
        if openAIURL != nil && (openai || model != nil) {
            throw ValidationError("--openaiurl can be used with neither --openai nor a model")
        }
    }

    func run() async throws {
        let out = CommandContext.current.console.out
        if let openAIURL { return try await ServedModels(openAIURL).list(json: json, quiet: quiet, out) }
        try await RunnerClient.with { client in
            if openai {
                out.print(try await client.json(.GET, "/engines/v1/models").text(indent: 4))
                return
            }
            let all = try await client.json(.GET, "/models").array ?? []
            let models = try filter(all)
            if json {
                out.print(JSON.array(models).text(indent: 4))
            } else if quiet {
                for model in models { out.print(ModelRow.shortID(model)) }
            } else {
                out.print(table(models).text)
            }
        }
    }

    private func filter(_ models: [JSON]) throws -> [JSON] {
        guard let model else { return models }
        let wanted = try ModelReference(parsing: model).canonical
        // Without a tag all tags of the repository are meant.
        let hasTag = model.split(separator: "/").last?.contains(":") ?? false
        func repository(_ tag: String) -> Substring { tag[..<(tag.lastIndex(of: ":") ?? tag.endIndex)] }
        return models.filter { candidate in
            (candidate["tags"]?.array ?? []).compactMap(\.string).contains { tag in
                hasTag ? tag == wanted : repository(tag) == repository(wanted)
            }
        }
    }

    private func table(_ models: [JSON]) -> Table {
        var table = Table([
            "MODEL NAME", "PARAMETERS", "QUANTIZATION", "ARCHITECTURE", "MODEL ID", "CREATED", "CONTEXT", "SIZE",
        ])
        for row in models.flatMap(ModelRow.rows).sorted() { table.append(row.cells) }
        return table
    }
}

/// One line of `ls`: a model under one of its tags.
struct ModelRow: Comparable {
    let name: String
    let cells: [String]

    static func rows(_ model: JSON) -> [ModelRow] {
        let tags = (model["tags"]?.array ?? []).compactMap(\.string)
        return (tags.isEmpty ? ["<none>"] : tags.map { ModelReference.display($0) }).map { name in
            let config = model["config"] ?? .null
            let configured = model["configuration"]?["context-size"]?.int.flatMap { $0 > 0 ? $0 : nil }
            let context = configured ?? config["context_size"]?.int ?? trainedContext(config)
            return ModelRow(
                name: name,
                cells: [
                    name, config["parameters"]?.string ?? "", config["quantization"]?.string ?? "",
                    config["architecture"]?.string ?? "", shortID(model),
                    Timestamp(seconds: Int64(model["created"]?.int ?? 0)).ago(), context.map { String($0) } ?? "",
                    config["size"]?.string ?? "",
                ])
        }
    }

    /// Tokens the model was made for, as its GGUF file says.
    private static func trainedContext(_ config: JSON) -> Int? {
        let gguf = config["gguf"] ?? .null
        let architecture = gguf["general.architecture"]?.string ?? config["architecture"]?.string ?? "llama"
        return gguf["\(architecture).context_length"]?.string.flatMap { Int($0) }
    }

    static func shortID(_ model: JSON) -> String {
        String((model["id"]?.string ?? "").split(separator: ":").last?.prefix(12) ?? "")
    }

    /// By name without its tag, capitals ignored; then the one without a tag first.
    private var order: [String] {
        let parts = name.lowercased().split(separator: ":", maxSplits: 1).map(String.init)
        return [parts.first ?? "", parts.count > 1 ? parts[1] : ""]
    }

    static func < (a: ModelRow, b: ModelRow) -> Bool { a.order.lexicographicallyPrecedes(b.order) }
    static func == (a: ModelRow, b: ModelRow) -> Bool { a.order == b.order }
}
