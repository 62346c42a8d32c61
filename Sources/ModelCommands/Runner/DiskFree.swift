internal import ArgumentParser
internal import Commands
internal import Core
internal import NIOHTTP1
internal import Terminal

struct DiskFree: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "df", abstract: "Show how much disk space models and the engine take", usage: "docker model df")

    func run() async throws {
        try await RunnerClient.with { client in
            let usage = try await client.json(.GET, "/engines/df")
            CommandContext.current.console.out.print(Self.table(usage).text)
        }
    }

    static func table(_ usage: JSON) -> Table {
        var table = Table(["TYPE", "SIZE"])
        table.append(["Models", size(usage["models_disk_usage"])])
        if let engine = usage["default_backend_disk_usage"], engine.int != 0 {
            table.append(["Inference engine", size(engine)])
        }
        return table
    }

    /// Two decimals also for bytes, as the original has it.
    private static func size(_ value: JSON?) -> String {
        let bytes = value?.int ?? 0
        return bytes < 1000 ? "\(bytes).00B" : ByteCount(bytes).decimal
    }
}
