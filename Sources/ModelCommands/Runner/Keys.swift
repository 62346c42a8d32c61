internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import RunnerAPI
internal import SystemPackage
internal import Terminal

/// Keys for those who ask models from beyond this machine.
struct KeysGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Manage API keys for clients beyond this machine",
        subcommands: [KeysAdd.self, KeysList.self, KeysRemove.self])
}

struct KeysAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Make an API key and print it",
        usage: "docker model keys add [OPTIONS] NAME",
        discussion: "It is shown once: only a hash of it is kept. The model runner knows it at once.")

    @Option(help: ArgumentHelp("A model that it may ask. (default: all)", valueName: "model")) var model: [String] = []
    @Option(help: ArgumentHelp("Requests per minute that it has. (default: any number)", valueName: "number"))
    var rate: Int?
    @Argument(help: "What to call it.") var name: String

    func validate() throws {
        if let rate, rate < 1 { throw ValidationError("--rate must be at least 1") }
        guard !name.isEmpty, name.utf8.count <= APIKey.maximumName else {
            throw ValidationError("the name must have 1 to \(APIKey.maximumName) bytes")
        }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw ValidationError("the name must have no control characters")
        }
    }

    func run() async throws {
        let context = CommandContext.current
        let secret = APIKey.makeSecret()
        let models = try model.map { try ModelReference(parsing: $0).canonical }
        try KeyFile.change(context.paths) { keys in
            guard !keys.contains(where: { $0.name == name }) else {
                throw Failure(
                    .alreadyExists, "there is a key \"\(name)\" already",
                    advice: "Choose another name, or remove it with: docker model keys rm \(name)")
            }
            keys.append(
                APIKey(name: name, secret: secret, models: models.isEmpty ? nil : models, requestsPerMinute: rate))
        }
        context.console.out.print(secret)
    }
}

struct KeysList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the API keys", usage: "docker model keys ls [--json]", aliases: ["list"])

    @Flag(help: "Print JSON, without the keys themselves.") var json = false

    func run() async throws {
        let context = CommandContext.current
        if json { return context.console.out.print(try Self.report(context.paths).text(indent: 4)) }
        var table = Table(["NAME", "MODELS", "REQUESTS"])
        for key in try AccessOptions.keys(context.paths).keys() {
            let models = key.models.map { $0.map { ModelReference.display($0) }.joined(separator: ", ") }
            table.append([key.name, models ?? "all", key.requestsPerMinute.map { "\($0) a minute" } ?? "any number"])
        }
        context.console.out.print(table.text)
    }
}

extension KeysList {
    private static func report(_ paths: Paths) throws -> JSON {
        .array(
            try AccessOptions.keys(paths).keys().map { key in
                var object = JSON.Object([("name", .string(key.name))])
                if let models = key.models { object["models"] = .array(models.map { .string($0) }) }
                if let rate = key.requestsPerMinute { object["requests_per_minute"] = .int(rate) }
                return .object(object)
            })
    }
}

struct KeysRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove API keys", usage: "docker model keys rm NAME [NAME...]",
        aliases: ["remove"])

    @Argument(help: "Their names.") var names: [String]

    func run() async throws {
        let context = CommandContext.current
        try KeyFile.change(context.paths) { keys in
            for name in names {
                guard let place = keys.firstIndex(where: { $0.name == name }) else {
                    throw Failure(
                        .notFound, "there is no key \"\(name)\"", advice: "List them with: docker model keys ls")
                }
                keys.remove(at: place)
            }
        }
        for name in names { context.console.out.print("Removed: \(name)") }
    }
}

extension KeyFile {
    /// Changes the keys while no other command can.
    fileprivate static func change(_ paths: Paths, _ body: (inout [APIKey]) throws -> Void) throws {
        let file = AccessOptions.keys(paths)
        try Files.makeDirectory(file.path.removingLastComponent(), mode: 0o700)
        let lock = try FileLock.acquire(FilePath(file.path.string + ".lock"))
        defer { withExtendedLifetime(lock) {} }
        var keys = try file.keys()
        try body(&keys)
        try file.write(keys)
    }
}
