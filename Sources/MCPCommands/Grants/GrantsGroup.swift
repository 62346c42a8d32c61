internal import ArgumentParser
internal import Commands
internal import Core
internal import SystemPackage
internal import Terminal
internal import Toolkit

/// What servers may use beyond the strict defaults, for good.
struct GrantsGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grants", abstract: "Manage what servers may use beyond the strict defaults",
        subcommands: [GrantsAdd.self, GrantsList.self, GrantsRemove.self])
}

struct GrantsAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Let servers use a network or files from now on",
        usage: """
            docker mcp grants add [--allow-network SERVER[=NETWORK]] [--allow-files SERVER=PATH[:rw]] \
            [--allow-private-network SERVER]
            """)

    @OptionGroup var options: GrantOptions

    func validate() throws {
        if options.allowNetwork.isEmpty && options.allowFiles.isEmpty && options.allowPrivateNetwork.isEmpty {
            throw ValidationError("name what to allow: --allow-network, --allow-files or --allow-private-network")
        }
    }

    func run() async throws {
        let context = CommandContext.current
        let added = try options.grants()
        try GrantsFile.change(context.paths) { $0.merge(added) }
        for server in added.servers.keys.sorted() { context.console.out.print("Granted to \(server)".printable) }
    }
}

struct GrantsRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Take everything back from servers", usage: "docker mcp grants rm SERVER...",
        aliases: ["remove"])

    @Argument(help: "The servers' names.") var servers: [String]

    func run() async throws {
        let context = CommandContext.current
        var missing: [String] = []
        try GrantsFile.change(context.paths) { grants in missing = servers.filter { !grants.revoke($0) } }
        for server in servers where !missing.contains(server) {
            context.console.out.print("Revoked from \(server)".printable)
        }
        guard missing.isEmpty else {
            throw Failure(
                .notFound, "nothing is granted to \(missing.joined(separator: ", "))",
                advice: "See docker mcp grants ls.")
        }
    }
}

struct GrantsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "Show what servers may use", usage: "docker mcp grants ls [--json]",
        aliases: ["list"])

    @Flag(help: "Show it as JSON.") var json = false

    func run() async throws {
        let context = CommandContext.current
        let servers = try Grants.load(context.paths.grants).servers.sorted { $0.key < $1.key }
        if json {
            let list: [JSON] = servers.map { server, grant in
                [
                    "server": .string(server), "network": grant.network.map { .string($0) } ?? .null,
                    "privateNetwork": .bool(grant.privateNetwork),
                    "files": .array(grant.files.map { .string($0.description) }),
                ]
            }
            context.console.out.print(JSON.array(list).text(indent: 4))
            return
        }
        var table = Table(["SERVER", "NETWORK", "FILES"])
        for (server, grant) in servers {
            let networks = [grant.network, grant.privateNetwork ? "private" : nil].compactMap { $0 }
            table.append([
                server, networks.joined(separator: ", "), grant.files.map(\.description).joined(separator: ", "),
            ])
        }
        context.console.out.print(table.text)
    }
}

/// The file of grants, changed by one process at a time.
private enum GrantsFile {
    static func change(_ paths: Paths, _ body: (inout Grants) throws -> Void) throws {
        try Files.makeDirectory(paths.mcp)
        let lock = try FileLock.acquire(paths.mcp.appending(".grants.lock"))
        defer { withExtendedLifetime(lock) {} }
        var grants = try Grants.load(paths.grants)
        try body(&grants)
        try grants.save(paths.grants)
    }
}
