internal import ArgumentParser
internal import Commands
internal import Core
internal import DockerEngine
internal import Gateway
internal import MCP
internal import SystemPackage
internal import Toolkit

extension Sharing: ExpressibleByArgument {}

/// What every command takes that starts a gateway: which servers, with what values, within which limits.
struct GatewayOptions: ParsableArguments {
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Catalog files. (default: the catalog that ships with Wharf)", valueName: "files"))
    var catalog: [String] = []
    @Option(
        parsing: .singleValue, help: ArgumentHelp("Catalog files beside those.", valueName: "files"))
    var additionalCatalog: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Servers to run; registry files do not count then.", valueName: "names"))
    var servers: [String] = []
    @Flag(help: "Run every server of the catalogs.") var enableAllServers = false
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Files that list the enabled servers. (default: ~/.docker/mcp/registry.yaml)", valueName: "files"))
    var registry: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Files with the servers' values. (default: ~/.docker/mcp/config.yaml)", valueName: "files"))
    var config: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Files with each server's tools. (default: ~/.docker/mcp/tools.yaml)", valueName: "files"))
    var toolsConfig: [String] = []
    @Option(help: ArgumentHelp("Files with secrets, separated by colons.", valueName: "files"))
    var secrets = "docker-desktop"
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Tools to show: NAME, SERVER:NAME, SERVER:* or *.", valueName: "patterns"))
    var tools: [String] = []
    @Option(
        parsing: .unconditional, help: "CPUs for each server, also a part of one (0.5); 0 for no limit. (default 1)")
    var cpus = 1.0
    @Option(help: "Memory for each server, for example 512Mb; empty for no limit.") var memory = "2Gb"
    @OptionGroup var grants: GrantOptions
    @Flag(help: "Keep servers running however long nobody calls them.") var longLived = false
    @Option(
        help: ArgumentHelp(
            "Who uses one running server: session (each client has its own), call (each call) or shared (all clients).",
            valueName: "who"))
    var instances = Sharing.session
    @Option(
        help: ArgumentHelp(
            "How long a call may take without a sign of progress: 30s, 5m, 1h; 0 for as long as it likes.",
            valueName: "time"))
    var callTimeout = "5m"
    @Option(help: ArgumentHelp("How long a call may take in any case; 0 for no limit.", valueName: "time"))
    var callLimit = "1h"

    @Flag(
        name: .customLong("static"),
        help: "Start nothing: each server already listens at mcp-NAME:4444, beside a gateway in a container.")
    var isStatic = false

    func validate() throws {
        guard cpus.isFinite, (0...4096).contains(cpus) else {
            throw ValidationError("--cpus must be 0 for no limit, or a number of CPUs such as 0.5 or 2")
        }
        if enableAllServers && !servers.isEmpty {
            throw ValidationError("--enable-all-servers and --servers cannot be used together")
        }
    }

    /// - Parameter onRemark: told of each server that no catalog has, or that several describe; none keeps the others from
    ///   running.
    /// - Throws: `.notFound` when no catalog has any of them.
    func chosenServers(_ paths: Paths, onRemark: (String) -> Void) throws -> [Server] {
        var all = try Self.words(catalog).map { try Self.load(catalog: $0, paths) }
        if all.isEmpty { all = [try Catalog.builtin()] }
        all += try Self.words(additionalCatalog).map { try Self.load(catalog: $0, paths) }
        if enableAllServers {
            // Where several catalogs describe a server, the last one counts.
            var seen = Set<String>()
            return all.reversed().flatMap(\.servers).filter { seen.insert($0.name).inserted }
        }
        var names = Self.words(servers)
        if names.isEmpty {
            names = try files(registry, paths, "registry.yaml").flatMap(ConfigurationFiles.enabledServers)
        }
        guard !names.isEmpty else {
            throw Failure(.invalidArgument, "no server is chosen", advice: "Name some: --servers demo-tools")
        }
        // One that is named twice is meant once.
        var seen = Set<String>()
        names = names.filter { seen.insert($0).inserted }
        let found = names.compactMap { name in all.reversed().lazy.compactMap { try? $0.server(named: name) }.first }
        let missing = names.filter { name in !found.contains { $0.name == name } }
        guard !found.isEmpty else {
            let known = all.flatMap { $0.servers.map(\.name) }
            throw Failure(
                .notFound, "MCP server not found: \(missing.joined(separator: ", "))",
                advice: known.isEmpty
                    ? "The catalogs are empty."
                    : "The catalogs have: \(known.prefix(40).joined(separator: ", "))\(known.count > 40 ? ", …" : "").")
        }
        missing.forEach { onRemark("MCP server not found: \($0)") }
        for server in found {
            let others = all.compactMap { try? $0.server(named: server.name) }.filter { $0.image != server.image }
            if others.isEmpty { continue }
            // What is granted to the name goes to whichever it means.
            onRemark("several catalogs describe \(server.name); it is \(server.image ?? "the last one") here")
        }
        return found
    }

    func settings(_ paths: Paths) throws -> GatewaySettings {
        var settings = GatewaySettings()
        settings.cpus = cpus == 0 ? nil : cpus
        settings.memory = memory.isEmpty ? nil : try Self.bytes(memory)
        for file in try files(config, paths, "config.yaml") {
            for member in try ConfigurationFiles.values(file).members {
                settings.values[ConfigurationFiles.canonicalName(member.name)] = member.value
            }
        }
        settings.authorities = paths.setting("WHARF_MCP_CA").map { FilePath($0) }
        settings.secrets = try SecretsFile.load(searchList: secrets)
        let lists = try files(toolsConfig, paths, "tools.yaml").reduce(into: [:]) { lists, file in
            lists.merge(try ConfigurationFiles.tools(file)) { $1 }
        }
        settings.filter = ToolFilter(patterns: Self.words(tools), lists: lists)
        settings.grants = try Grants.load(paths.grants)
        settings.grants.merge(try grants.grants())
        if longLived { settings.idleTimeout = nil }
        settings.sharing = instances
        settings.callTimeout = try Self.duration(callTimeout)
        settings.callLimit = try Self.duration(callLimit)
        settings.cache = paths.mcp.appending("cache").appending("lists")
        return settings
    }

    /// Those of the `--tools` patterns that no tool fits, most likely for a slip of the pen.
    var unusedPatterns: @Sendable (Surface, [Server]) -> [String] {
        let patterns = Self.words(tools)
        return { surface, servers in
            let places = surface.tools.compactMap { surface.route($0.name) }
            return patterns.filter { pattern in
                let filter = ToolFilter(patterns: [pattern])
                return !places.contains { place in
                    servers.contains { $0.name == place.server && filter.allows(place.tool, of: $0) }
                }
            }
        }
    }

    /// The options that choose servers, as they would be written once more; begins with a space.
    var choice: String {
        var words: [String] = []
        for file in catalog { words += ["--catalog", file] }
        if !servers.isEmpty { words += ["--servers", servers.joined(separator: ",")] }
        if enableAllServers { words.append("--enable-all-servers") }
        for file in registry { words += ["--registry", file] }
        return words.map { " " + Self.quoted($0) }.joined()
    }

    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "-_./,:@%+".utf8.contains(byte)
        }
        return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }

    /// The files named, or the usual one where it is there.
    private func files(_ named: [String], _ paths: Paths, _ usual: String) throws -> [FilePath] {
        let named = Self.words(named).map { FilePath($0) }
        if !named.isEmpty { return named }
        let file = paths.mcp.appending(usual)
        return Files.exists(file) ? [file] : []
    }

    /// A path as it is; a bare name also in the folder where catalogs are kept.
    private static func load(catalog name: String, _ paths: Paths) throws -> Catalog {
        let path = FilePath(name)
        guard path.isRelative, !Files.exists(path) else { return try Catalog.load(path: path) }
        let kept = paths.mcp.appending("catalogs")
        guard Files.exists(kept.appending(name)) else {
            throw Failure(.notFound, "the catalog \(name) is neither here nor in \(kept)")
        }
        return try Catalog.load(path: kept.appending(name))
    }

    private static func words(_ values: [String]) -> [String] {
        values.flatMap { $0.split(separator: ",") }
            .map { String($0.trimmingPrefix(while: \.isWhitespace)) }.filter { !$0.isEmpty }
    }

    /// Docker's notation: `512m`, `2Gb`, `1073741824`.
    static func bytes(_ text: String) throws -> Int64 {
        let units: [String: Int64] = ["": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isNumber || $0 == "." }
        var unit = String(lower.dropFirst(digits.count))
        if unit.count > 1, unit.hasSuffix("b") { unit.removeLast() }
        guard let number = Double(digits), let factor = units[unit], number > 0, number * Double(factor) < 1e15 else {
            throw Failure(.invalidArgument, "\"\(text)\" is no amount of memory", advice: "Write it like 512Mb or 2Gb.")
        }
        return Int64(number * Double(factor))
    }

    /// `90`, `90s`, `5m`, `1h`; nil for 0.
    static func duration(_ text: String) throws -> Duration? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        let factor = text.last.flatMap { units[$0] }
        guard let number = Int64(factor == nil ? text[...] : text.dropLast()), (0...1_000_000).contains(number) else {
            throw Failure(.invalidArgument, "\"\(text)\" is no time", advice: "Write it like 30s, 5m or 1h.")
        }
        return number == 0 ? nil : .seconds(number * (factor ?? 1))
    }

    /// The files that what is chosen depends on, also those that are not there yet.
    func watchedFiles(_ paths: Paths) -> [FilePath] {
        var files = Self.words(catalog + additionalCatalog).map { name in
            FilePath(name).isRelative && !Files.exists(FilePath(name))
                ? paths.mcp.appending("catalogs").appending(name) : FilePath(name)
        }
        func add(_ named: [String], _ usual: String) {
            let named = Self.words(named).map { FilePath($0) }
            files += named.isEmpty ? [paths.mcp.appending(usual)] : named
        }
        if servers.isEmpty && !enableAllServers { add(registry, "registry.yaml") }
        add(config, "config.yaml")
        add(toolsConfig, "tools.yaml")
        return files + SecretsFile.files(searchList: secrets) + [paths.grants]
    }

    /// Runs what shows a gateway's events, with the engine that runs the servers, if it is to be one.
    func withEngine<R: Sendable>(
        _ context: CommandContext, _ body: (Engine?) async throws -> R
    ) async throws -> R {
        do {
            if isStatic { return try await body(nil) }
            return try await withHTTPClient { http in
                let endpoint = try EngineEndpoint.resolve(paths: context.paths, globals: context.globals)
                return try await body(try await Engine.connect(client: http, endpoint: endpoint))
            }
        } catch let nothing as NoServerReady {
            // Every reason has been shown when it came up.
            throw nothing.short
        }
    }
}
