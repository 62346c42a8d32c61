internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import NIOHTTP1
internal import OCI
internal import Terminal

struct Processes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "List the models that are running", usage: "docker model ps")

    func run() async throws {
        let runners = try await RunnerClient.ifRunning { try await $0.json(.GET, "/engines/ps").array } ?? []
        CommandContext.current.console.out.print(Self.table(runners ?? [], now: .now).text)
    }

    static func table(_ runners: [JSON], now: Timestamp) -> Table {
        var table = Table(["MODEL NAME", "BACKEND", "MODE", "UNTIL", "CONTEXT", "MEMORY"])
        for runner in runners {
            table.append([
                name(runner["model_name"]?.string ?? ""), runner["backend_name"]?.string ?? "",
                runner["mode"]?.string ?? "", until(runner, now: now),
                runner["context_size"]?.int.map { String($0) } ?? "",
                runner["estimated_memory"]?.int.map { ByteCount($0).binary } ?? "",
            ])
        }
        return table
    }

    /// Without what goes without saying; of an ID its first digits.
    private static func name(_ text: String) -> String {
        if let id = try? Digest(parsing: text) { return id.short }
        return ModelReference.display(text.lowercased())
    }

    /// When a runner is unloaded, if nobody asks it anything more.
    private static func until(_ runner: JSON, now: Timestamp) -> String {
        if runner["loading"]?.bool == true { return "Loading..." }
        // A runner of an unknown kind says neither; then it is not going to end by itself.
        guard let keepAlive = (runner["keep_alive"]?.string).flatMap(GoDuration.wholeSeconds), keepAlive >= 0 else {
            return "Forever"
        }
        // While it answers its time has not begun to run.
        let lastUsed = (runner["last_used"]?.string).flatMap { Timestamp(rfc3339: $0) }?.seconds ?? now.seconds
        let begin = runner["in_use"]?.bool == true ? now.seconds : min(lastUsed, now.seconds)
        let left = begin + keepAlive - now.seconds
        return left > 0 ? "\(GoDuration.text(left)) from now" : "Expiring"
    }
}
