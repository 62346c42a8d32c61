import Core
import MCP
import NIOCore
import Testing

@testable import MCPHTTP

@Suite struct StreamRoutingTests {
    typealias Routing = StreamRouting<String>

    private func message(_ text: String) throws -> (RPC.Message, ByteBuffer) {
        let bytes = ByteBuffer(string: text)
        return (try RPC.Message(parsing: bytes), bytes)
    }

    private func request(_ id: String, token: String? = nil) throws -> RPC.Request {
        let params = token.map { #","params":{"_meta":{"progressToken":\#($0)}}"# } ?? ""
        guard case .request(let request) = try message(#"{"jsonrpc":"2.0","id":\#(id),"method":"m"\#(params)}"#).0
        else {
            throw Failure(.internalError, "not a request")
        }
        return request
    }

    private func place(_ routing: inout Routing, _ text: String) throws -> String? {
        let (message, bytes) = try message(text)
        return routing.place(message, bytes).map { "\($0.stream)\($0.isLast ? " last" : "")" }
    }

    private static let log = #"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}"#

    private func progress(_ token: String) -> String {
        #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(token),"progress":1}}"#
    }

    private func answer(_ id: String) -> String { #"{"jsonrpc":"2.0","id":\#(id),"result":{}}"# }

    @Test func anAnswerGoesToTheRequestThatAskedAndEndsIt() throws {
        var routing = Routing()
        try routing.begin(request("1"), on: "a")
        try routing.begin(request("\"1\""), on: "b")
        #expect(try place(&routing, answer("\"1\"")) == "b last")
        #expect(try place(&routing, answer("1")) == "a last")
        #expect(try place(&routing, answer("1")) == nil)
        #expect(try place(&routing, answer("null")) == nil)
    }

    @Test func progressGoesToTheRequestWithItsToken() throws {
        var routing = Routing()
        try routing.begin(request("1", token: "\"t\""), on: "a")
        try routing.begin(request("2", token: "7"), on: "b")
        #expect(try place(&routing, progress("\"t\"")) == "a")
        #expect(try place(&routing, progress("7")) == "b")
        #expect(try place(&routing, progress("8")) == nil)
        _ = try place(&routing, answer("1"))
        #expect(try place(&routing, progress("\"t\"")) == nil)
        #expect(routing.openStandalone("get") == [], "progress nobody waits for is not kept")
    }

    @Test func otherMessagesGoToTheLatestRequestElseToTheStandaloneStreamElseAreKept() throws {
        var routing = Routing()
        #expect(try place(&routing, Self.log) == nil)
        #expect(routing.openStandalone("get") == [ByteBuffer(string: Self.log)])
        #expect(try place(&routing, Self.log) == "get")
        try routing.begin(request("1"), on: "a")
        try routing.begin(request("2"), on: "b")
        #expect(try place(&routing, Self.log) == "b")
        let question = #"{"jsonrpc":"2.0","id":9,"method":"roots/list"}"#
        #expect(try place(&routing, question) == "b")
        routing.disconnect(RPC.ID(2))
        #expect(try place(&routing, Self.log) == "a")
        #expect(try place(&routing, answer("1")) == "a last")
        #expect(try place(&routing, Self.log) == "get")
        #expect(routing.closeStandalone() == "get")
        #expect(try place(&routing, Self.log) == nil)
        #expect(routing.openStandalone("again")?.count == 1)
    }

    @Test func thereIsOneStandaloneStream() {
        var routing = Routing()
        #expect(routing.openStandalone("a") == [])
        #expect(routing.openStandalone("b") == nil)
        #expect(routing.closeStandalone() == "a")
        #expect(routing.openStandalone("b") == [])
    }

    @Test func aDisconnectedRequestKeepsItsIdUntilItIsAnswered() throws {
        var routing = Routing()
        try routing.begin(request("1"), on: "a")
        routing.disconnect(RPC.ID(1))
        let error = #expect(throws: RPC.Error.self) { try routing.begin(request("1"), on: "b") }
        #expect(error?.code == -32600)
        #expect(try place(&routing, answer("1")) == nil)
        try routing.begin(request("1"), on: "b")
        #expect(try place(&routing, answer("1")) == "b last")
    }

    @Test func aCancelledRequestGivesItsStreamBack() throws {
        var routing = Routing()
        try routing.begin(request("1", token: "1"), on: "a")
        #expect(routing.cancel(RPC.ID(1)) == "a")
        #expect(routing.cancel(RPC.ID(1)) == nil)
        #expect(try place(&routing, progress("1")) == nil)
        #expect(try place(&routing, answer("1")) == nil)
    }

    @Test func whatIsKeptIsBounded() throws {
        var routing = Routing()
        for number in 0..<200 {
            _ = try place(&routing, #"{"jsonrpc":"2.0","method":"n","params":{"n":\#(number)}}"#)
        }
        let kept = routing.openStandalone("get") ?? []
        #expect(kept.count == Routing.maximumKept)
        #expect(kept.last.map { String(buffer: $0).contains("199") } == true)
        _ = routing.closeStandalone()
        let large = String(repeating: "x", count: 400_000)
        for _ in 0..<5 { _ = try place(&routing, #"{"jsonrpc":"2.0","method":"n","params":{"x":"\#(large)"}}"#) }
        #expect(routing.openStandalone("get")?.count == 2)
    }

    @Test func requestsAreBounded() throws {
        var routing = Routing()
        for id in 0..<Routing.maximumRequests { try routing.begin(request("\(id)"), on: "s") }
        let error = #expect(throws: RPC.Error.self) { try routing.begin(request("9999"), on: "s") }
        #expect(error?.code == -32000)
    }

    @Test func oneStreamTakesEverything() throws {
        var routing = Routing(everythingOn: "events")
        #expect(try place(&routing, answer("1")) == "events")
        #expect(try place(&routing, Self.log) == "events")
        #expect(try place(&routing, progress("1")) == "events")
        #expect(routing.end() == ["events"])
    }

    @Test func theEndGivesEveryStreamBack() throws {
        var routing = Routing()
        try routing.begin(request("1"), on: "a")
        try routing.begin(request("2"), on: "b")
        routing.disconnect(RPC.ID(2))
        _ = routing.openStandalone("get")
        #expect(Set(routing.end()) == ["a", "get"])
        #expect(routing.end() == [])
    }
}
