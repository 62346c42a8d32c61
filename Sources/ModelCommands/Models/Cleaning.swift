internal import ArgumentParser
internal import Commands
internal import Core
internal import NIOHTTP1
internal import Terminal

struct Purge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove all models", usage: "docker model purge [OPTIONS]")

    @Flag(name: .shortAndLong, help: "Do not ask.") var force = false

    func run() async throws {
        guard try force || Confirmation.ask("This will remove the entire models directory.") else { return }
        try await RunnerClient.with { client in
            _ = try await client.json(.POST, "/engines/unload", body: ["all": true])
            _ = try await client.json(.DELETE, "/models/purge")
        }
    }
}

struct Prune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove files that no model needs", usage: "docker model prune [OPTIONS]",
        discussion: """
            Files that interrupted downloads, failed loads and other programs have left. What a process is downloading, \
            and what is younger than an hour, stays; so does an interrupted download for a day.
            """)

    @Flag(name: .shortAndLong, help: "Do not ask.") var force = false

    func run() async throws {
        guard try force || Confirmation.ask("This will remove all files that no model needs.") else { return }
        let out = CommandContext.current.console.out
        try await RunnerClient.with { client in
            let pruned = try await client.json(.POST, "/models/prune")
            for id in (pruned["deleted"]?.array ?? []).compactMap(\.string) { out.print("Deleted: \(id)".printable) }
            if let count = pruned["leftovers"]?.int, count > 0 { out.print("Interrupted files removed: \(count)") }
            out.print("Total reclaimed space: \(ByteCount(pruned["reclaimed"]?.int ?? 0))")
        }
    }
}

/// Docker's question before something that cannot be undone.
enum Confirmation {
    /// - Returns: whether the answer on stdin is `y`; anything else, the end of the input included, is a no.
    static func ask(_ warning: String) throws -> Bool {
        let out = CommandContext.current.console.out
        out.print("WARNING! \(warning)")
        out.print("Are you sure you want to continue? [y/N] ", terminator: "")
        let answer = try StandardInput.line() ?? ""
        if ["y", "Y"].contains(answer) { return true }
        out.print("Operation cancelled.")
        return false
    }
}
