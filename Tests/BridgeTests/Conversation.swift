import Bridge
import Core
import MCP
import NIOCore
import Synchronization
import Testing

/// Messages in short: `method#id params`, `=id result`, `!id code`; envelopes are left out, their level is not.
func short(_ message: RPC.Message) -> String {
    func bare(_ params: RawJSON?) -> String {
        guard let params else { return "" }
        let level = params["_meta"]?[Envelope.levelKey]?.string.map { " level=\($0)" } ?? ""
        let modern = Envelope.isMarked(params) ? " modern" : ""
        let text = Envelope.stripped(from: params).text
        return (text == "{}" ? "" : " \(text)") + modern + level
    }
    switch message {
    case .request(let request): return "\(request.method)#\(name(request.id))\(bare(request.params))"
    case .notification(let note): return "\(note.method)\(bare(note.params))"
    case .response(let response):
        let id = response.id.map(name) ?? "?"
        switch response.outcome {
        case .success(let result): return "=\(id) \(result.text)"
        case .failure(let error): return "!\(id) \(error.code)"
        }
    }
}

private func name(_ id: RPC.ID) -> String { id.text.filter { $0 != "\"" } }

func message(_ text: String) throws -> RPC.Message { try RPC.Message(parsing: ByteBuffer(string: text)) }

/// A modern server being played by a test.
struct PlayedServer {
    var server: ModernServer

    init(_ discovery: String = #"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#) throws {
        server = ModernServer(revision: .v20260728, discovery: try raw(discovery))
    }

    static func text(_ actions: [ModernServer.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .deliver(let message): "< \(short(message))"
            case .send(let message): "> \(short(message))"
            case .cancel(let id): "x \(id.text.filter { $0 != "\"" })"
            case .wait(let time, let timer): "wait \(time) \(timer)".replacing("\"", with: "").replacing("\\", with: "")
            case .log(let text): "log \(text)"
            }
        }
    }

    mutating func gateway(_ text: String) throws -> [String] {
        Self.text(server.receive(try message(#"{"jsonrpc":"2.0",\#(text)}"#)))
    }

    mutating func says(_ text: String) throws -> [String] {
        Self.text(server.heard(try message(#"{"jsonrpc":"2.0",\#(text)}"#)))
    }
}

/// A modern client being played by a test.
final class PlayedClient {
    var client: ModernClient
    let table = Table()
    private(set) var states: [String] = []
    var now: Int64 = 0

    final class Table: Sendable {
        let calls: Mutex<ParkedCalls<ModernClient.Parked>>
        init(_ limits: ParkedCalls<ModernClient.Parked>.Limits = .init()) { calls = Mutex(ParkedCalls(limits: limits)) }
    }

    init(principal: String = "me", seal: StateSeal = StateSeal(), table: Table? = nil) {
        let table = table ?? self.table
        client = ModernClient(identity: 1, principal: principal, seal: seal) { change in
            try table.calls.withLock { try change(&$0) }
        }
    }

    /// Opened, with a gateway that has these capabilities.
    static func open(_ capabilities: String = #"{"tools":{"listChanged":true},"logging":{}}"#) throws -> PlayedClient {
        let played = PlayedClient()
        _ = try played.asks(#""id":0,"method":"server/discover""#, on: 0)
        _ = try played.gateway(#""id":"c1","result":{"capabilities":\#(capabilities),"serverInfo":{"name":"g"}}"#)
        return played
    }

    func text(_ actions: [ModernClient.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .send(let message): return "> \(short(message))"
            case .notify(let exchange, let note): return "< \(exchange.number) \(short(.notification(note)))"
            case .reply(let exchange, .failure(let error)): return "< \(exchange.number) !\(error.code)"
            case .reply(let exchange, .success(let result)):
                if let state = result["requestState"]?.string { states.append(state) }
                let plain = result.removing(["_meta", "requestState"]).text
                return "< \(exchange.number) \(plain)\(result["requestState"] == nil ? "" : " S")"
            case .log(let text): return "log \(text)"
            }
        }
    }

    func asks(_ text: String, _ params: String = "", meta: String = "", capabilities: String = "{}", on exchange: Int)
        throws -> [String]
    {
        let envelope =
            #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":\#(capabilities)\#(meta)"#
        let params = #""params":{\#(params)\#(params.isEmpty ? "" : ",")"_meta":{\#(envelope)}}"#
        guard case .request(let request) = try message(#"{"jsonrpc":"2.0",\#(text),\#(params)}"#) else { return [] }
        return self.text(client.receive(request, try Envelope(of: request.params), on: .init(exchange), now: now))
    }

    func gateway(_ text: String, relatedTo related: String? = nil) throws -> [String] {
        let related = try related.flatMap { RPC.ID(try raw("\"\($0)\"")) }
        return self.text(client.heard(try message(#"{"jsonrpc":"2.0",\#(text)}"#), relatedTo: related, now: now))
    }

    func leaves(_ exchange: Int) -> [String] { text(client.leave(.init(exchange))) }
}
