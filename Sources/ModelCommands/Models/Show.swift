internal import ArgumentParser
internal import Commands
internal import Core
internal import NIOHTTP1
internal import Terminal

struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is known of a model", usage: "docker model show [OPTIONS] MODEL")

    @Flag(name: .shortAndLong, help: "Ask the model's registry, not this machine.") var remote = false
    @Argument(help: "The model.") var model: String

    func run() async throws {
        try await RunnerClient.with { client in
            let json = try await Inspect.model(model, remote: remote, client)
            CommandContext.current.console.out.print(Self.text(json).printable)
        }
    }

    /// The model's facts, one a line; of the metadata what has a value, by name.
    static func text(_ model: JSON) -> String {
        let config = model["config"] ?? .null
        let tags = (model["tags"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
        var lines = ["Model:       \(model["id"]?.string ?? "")"]
        if !tags.isEmpty { lines.append("Tags:        \(tags)") }
        lines.append("Created:     \(Timestamp(seconds: Int64(model["created"]?.int ?? 0)).rfc3339)")
        lines.append("")
        for (label, key) in [
            ("Format", "format"), ("Architecture", "architecture"), ("Parameters", "parameters"), ("Size", "size"),
            ("Quantization", "quantization"), ("Context Size", "context_size"),
        ] {
            let value = config[key]
            guard let text = value?.string ?? value?.int.map({ String($0) }), !text.isEmpty else { continue }
            lines.append("\("\(label):".padded(to: 14)) \(text)")
        }
        lines += customization(model["customization"] ?? .null)
        for setting in model["configuration"]?.object?.members ?? [] {
            lines.append("Configured:    \(setting.name) \(oneLine(setting.value.string ?? setting.value.text))")
        }
        for (title, key) in [
            ("GGUF", "gguf"), ("Safetensors", "safetensors"), ("Diffusers", "diffusers"),
        ] {
            let members = (config[key]?.object?.members ?? []).sorted { $0.name < $1.name }
            if members.isEmpty { continue }
            lines += ["", "\(title) Metadata:"]
            lines += members.map { "  \($0.name): \(oneLine($0.value.string ?? $0.value.text))" }
        }
        return lines.joined(separator: "\n")
    }

    /// What the model brings along besides its files.
    private static func customization(_ json: JSON) -> [String] {
        var lines: [String] = []
        if let system = json["system"]?.string { lines.append("System:        \(oneLine(system))") }
        for parameter in json["parameters"]?.object?.members ?? [] {
            lines.append("Parameter:     \(parameter.name) \(oneLine(parameter.value.string ?? parameter.value.text))")
        }
        if let count = json["messages"]?.array?.count { lines.append("Messages:      \(count)") }
        if let adapters = json["adapters"]?.int { lines.append("Adapters:      \(adapters)") }
        for note in (json["notes"]?.array ?? []).compactMap(\.string) { lines.append("Note:          \(note)") }
        return lines
    }

    /// Chat templates are pages long and full of line breaks.
    private static func oneLine(_ text: String) -> String {
        let line = String(text.map { $0.isNewline ? " " : $0 })
        return line.count > 200 ? line.prefix(200) + "..." : line
    }
}

struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is known of a model, as JSON", usage: "docker model inspect [OPTIONS] MODEL")

    @Flag(help: "In the format of OpenAI's API.") var openai = false
    @Flag(name: .shortAndLong, help: "Ask the model's registry, not this machine.") var remote = false
    @Argument(help: "The model.") var model: String

    func validate() throws {
        if openai && remote { throw ValidationError("--openai and --remote cannot be used together") }
    }

    func run() async throws {
        try await RunnerClient.with { client in
            let json = try await Self.model(model, openai: openai, remote: remote, client)
            CommandContext.current.console.out.print(json.text(indent: 4))
        }
    }

    static func model(
        _ name: String, openai: Bool = false, remote: Bool, _ client: RunnerClient
    ) async throws -> JSON {
        let path = (openai ? "/engines/v1/models/" : "/models/") + name.pathEncoded
        do { return try await client.json(.GET, path + (remote ? "?remote=true" : "")) } catch let failure as Failure
            where failure.code == .notFound && !remote
        { throw Failure.noSuchModel(name) }
    }
}
