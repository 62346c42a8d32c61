internal import ArgumentParser
internal import Commands
internal import Core
internal import DockerEngine
internal import NIOHTTP1
internal import Terminal

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell whether the model runner is running", usage: "docker model status [--json]")

    @Flag(help: "Tell it as JSON.") var json = false

    func run() async throws {
        let context = CommandContext.current
        let out = context.console.out
        try await withHTTPClient { http in
            guard let endpoint = try await RunnerEndpoint.find(context.paths, http), await endpoint.answers(http) else {
                if json {
                    let port = try RunnerEndpoint.portNumber(context.paths)
                    out.print(try report(running: false, backends: [:], port: port, paths: context.paths).text)
                } else {
                    out.print("Docker Model Runner is not running")
                    context.console.err.print(
                        "It starts by itself with the first command that needs it; `wharf serve` starts it by hand.")
                }
                throw ExitCode(1)
            }
            let client = RunnerClient(http: http, endpoint: endpoint)
            let backends = try await client.json(.GET, "/engines/status").object ?? JSON.Object()
            // One that somebody named may be of another make.
            let port = endpoint.kind == .local ? try await client.json(.GET, "/version")["port"]?.int : nil
            if json {
                out.print(try report(running: true, backends: .object(backends), port: port, paths: context.paths).text)
            } else {
                out.print("Docker Model Runner is running\n")
                if endpoint.kind == .local, port == nil {
                    context.console.err.print(
                        "It listens on \(context.paths.modelRunnerSocket) only: no TCP port was free or wanted.")
                }
                out.print(table(backends).text)
            }
        }
    }

    /// - Parameter port: nil where the runner listens on its socket only; somebody else may have the usual port.
    private func report(running: Bool, backends: JSON, port: Int?, paths: Paths) throws -> JSON {
        let named = try RunnerEndpoint.named(paths).map { "\($0.base)/v1/" }
        func endpoint(_ host: String) -> JSON {
            (named ?? port.map { "http://\(host):\($0)/v1/" }).map { .string($0) } ?? .null
        }
        return [
            "running": .bool(running), "backends": backends,
            "kind": .string(named == nil ? "Docker Engine" : "Docker Engine (Manual Install)"),
            "endpoint": endpoint("host.docker.internal"), "endpointHost": endpoint("127.0.0.1"),
        ]
    }

    private func table(_ backends: JSON.Object) -> Table {
        var table = Table(["BACKEND", "STATUS", "DETAILS"])
        let order = ["Running", "Error", "Not Installed", "Installing"]
        let rows = backends.members.map { name, value -> (Int, [String]) in
            let text = value.string ?? ""
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            let status = parts.first ?? ""
            let details = parts.count > 1 ? String(parts[1].trimmingPrefix(while: \.isWhitespace)) : ""
            return (order.firstIndex(of: status) ?? order.count, [name, status, details])
        }
        for row in rows.sorted(by: { ($0.0, $0.1[0]) < ($1.0, $1.1[0]) }) { table.append(row.1) }
        return table
    }
}

struct Version: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the versions of client and runner", usage: "docker model version")

    func run() async throws {
        let context = CommandContext.current
        try await withHTTPClient { http in
            var server = "(not reachable)"
            if let endpoint = try await RunnerEndpoint.find(context.paths, http), await endpoint.answers(http) {
                let client = RunnerClient(http: http, endpoint: endpoint)
                server = (try? await client.json(.GET, "/version")["version"]?.string) ?? server
            }
            let named = try RunnerEndpoint.named(context.paths)
            let kind = named == nil ? "Docker Engine" : "Docker Engine (Manual Install)"
            context.console.out.print(
                """
                Client:
                 Version:    \(WharfVersion.current)
                 OS/Arch:    \(Host.operatingSystem)/\(Host.architecture)

                Server:
                 Version:    \(server)
                 Engine:     \(kind)
                """)
        }
    }
}

/// What this program was built for, in Go's words.
enum Host {
    #if os(macOS)
        static let operatingSystem = "darwin"
    #else
        static let operatingSystem = "linux"
    #endif
    #if arch(arm64)
        static let architecture = "arm64"
    #else
        static let architecture = "amd64"
    #endif
}
