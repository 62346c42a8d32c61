internal import ArgumentParser
internal import Commands
internal import Core
internal import Gateway
internal import Terminal

struct GatewayStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the gateways that run, their clients and servers",
        usage: "docker mcp gateway status [--json]")

    @Flag(help: "Tell it as JSON.") var json = false

    func run() async throws {
        let context = CommandContext.current
        let out = context.console.out
        let reports = StateFile.reports(in: context.paths.gatewayStates)
        if json {
            out.print(JSON.array(reports).text(indent: 2))
            return
        }
        guard !reports.isEmpty else {
            out.print("No gateway is running")
            return
        }
        out.print(reports.map(Self.text).joined(separator: "\n\n"))
    }

    static func text(_ report: JSON) -> String {
        func cell(_ value: JSON?) -> String {
            switch value {
            case nil, .null: "-"
            case .string(let text): text.isEmpty ? "-" : text
            case let value?: value.text
            }
        }
        var clients = Table(["CLIENT", "ERA", "REVISION", "CONNECTED SINCE", "CALLS"])
        for client in report["clients"]?.array ?? [] {
            clients.append([
                cell(client["name"]), cell(client["era"]), cell(client["revision"]), cell(client["since"]),
                cell(client["calls"]),
            ])
        }
        var servers = Table(["SERVER", "STATE", "WHERE", "ERA", "REVISION", "TOOLS", "CALLS", "FAILED", "LAST ERROR"])
        for server in report["servers"]?.array ?? [] {
            let places = (server["places"]?.array ?? []).compactMap(\.string)
            let place = places.first.map { first in
                String(first.prefix(12)) + (places.count > 1 ? " and \(places.count - 1) more" : "")
            }
            servers.append([
                cell(server["name"]), cell(server["state"]), place ?? "-", cell(server["era"]),
                cell(server["revision"]),
                cell(server["tools"]), cell(server["calls"]), cell(server["failed"]),
                String(cell(server["lastError"]).prefix(160)),
            ])
        }
        let head = "Gateway \(cell(report["pid"])), running since \(cell(report["started"]))".printable
        return "\(head)\n\n\(clients.text)\n\n\(servers.text)"
    }
}
