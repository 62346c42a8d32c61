import Core
import MCP
import NIOCore
import Testing

@testable import MCPHTTP

@Suite struct SessionStreamsTests {
    typealias Streams = SessionStreams<String>

    private func request(_ id: Int, token: JSON? = nil) -> RPC.Request {
        RPC.Request(
            id: RPC.ID(id), method: "m", params: token.map { RawJSON(["_meta": ["progressToken": $0]]) })
    }

    /// Where a message went, under which name, and whether it was the last there: `a 1-1`, `a 1-2 last`, `a`.
    private func place(_ streams: inout Streams, _ text: String, _ relation: Relation = .none) -> String? {
        streams.place(ByteBuffer(string: text), relation).map(Self.text)
    }

    private static func text(_ delivery: Streams.Delivery) -> String {
        [delivery.sink, delivery.event.id?.description, delivery.isLast ? "last" : nil].compactMap { $0 }
            .joined(separator: " ")
    }

    private static func names(_ events: [StreamEvent]) -> [String] { events.compactMap { $0.id?.description } }

    private static let log = #"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}"#

    private static func progress(_ token: String) -> String {
        #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(token),"progress":1}}"#
    }

    private func answer(_ streams: inout Streams, _ id: Int) -> String? {
        place(&streams, #"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#, .answer(to: RPC.ID(id)))
    }

    // The macros of the tests cannot call what changes a value.

    private func begin(
        _ streams: inout Streams, _ requests: [RPC.Request], on sink: String?, isCommitted: Bool = false
    ) throws -> Int {
        try streams.begin(requests, on: sink, isCommitted: isCommitted)
    }

    private func open(_ streams: inout Streams, _ sink: String) -> (position: EventID, waiting: [StreamEvent])? {
        streams.openStandalone(sink)
    }

    private func resume(
        _ streams: inout Streams, _ stream: Int, _ number: Int, _ sink: String
    ) -> Streams.Resumption? {
        streams.resume(after: EventID(stream: stream, number: number), on: sink)
    }

    private func commit(_ streams: inout Streams, _ number: Int) -> String? { streams.commit(number) }
    private func cancel(_ streams: inout Streams, _ id: RPC.ID, _ answer: ByteBuffer) -> Streams.Delivery? {
        streams.cancel(id, answer)
    }
    private func tick(_ streams: inout Streams) -> [String] { streams.tick() }
    /// The open streams, with the ids of the requests that are answered there at the end.
    private func end(_ streams: inout Streams) -> [String] {
        streams.end { ByteBuffer(string: $0.text) }.map { sink, words in
            ([sink] + words.map { String(buffer: $0) }).joined(separator: " ")
        }
    }
    private func close(_ streams: inout Streams) -> String? { streams.closeStandalone() }

    @Test func anAnswerThatComesFirstIsNoStream() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1)], on: "a")
        #expect(answer(&streams, 1) == "a last")
        #expect(answer(&streams, 1) == nil)
        #expect(resume(&streams, 1, 0, "b") == nil)
        #expect(streams.unanswered == 0)
    }

    @Test func whatBelongsToARequestGoesOnItsStreamAndNamesIt() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1)], on: "a")
        _ = try begin(&streams, [request(2)], on: "b")
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == "a 1-1")
        #expect(place(&streams, Self.log, .request(RPC.ID(2))) == "b 2-1")
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == "a 1-2")
        #expect(answer(&streams, 2) == "b 2-2 last")
        #expect(answer(&streams, 1) == "a 1-3 last")
    }

    @Test func progressFindsItsRequestByItsTokenAndEndsWithIt() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1, token: "t")], on: "a")
        _ = try begin(&streams, [request(2, token: 7)], on: "b")
        #expect(place(&streams, Self.progress("\"t\"")) == "a 1-1")
        #expect(place(&streams, Self.progress("7")) == "b 2-1")
        #expect(place(&streams, Self.progress("8")) == nil)
        _ = answer(&streams, 1)
        #expect(place(&streams, Self.progress("\"t\"")) == nil)
        #expect(place(&streams, Self.progress("\"t\""), .request(RPC.ID(1))) == nil)
        #expect(open(&streams, "get")?.waiting == [], "progress nobody waits for is not kept")
    }

    @Test func whatBelongsToNothingWaitsForTheStandaloneStream() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1)], on: "a")
        #expect(place(&streams, Self.log) == nil)
        let (position, waiting) = try #require(open(&streams, "get"))
        #expect(position.description == "0-0")
        #expect(Self.names(waiting) == ["0-1"])
        #expect(place(&streams, Self.log) == "get 0-2")
        #expect(open(&streams, "second") == nil)
        #expect(close(&streams) == "get")
        #expect(place(&streams, Self.log) == nil)
        let (later, missed) = try #require(open(&streams, "again"))
        #expect(later.description == "0-2" && Self.names(missed) == ["0-3"], "what was told is not told again")
    }

    @Test func aStreamThatBrokeGoesOnWhereItWas() throws {
        var streams = Streams()
        let number = try begin(&streams, [request(1)], on: "a")
        _ = try begin(&streams, [request(2)], on: "other")
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == "a 1-1")
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == "a 1-2")
        streams.disconnect("a", from: number)
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == nil)
        #expect(place(&streams, Self.log, .request(RPC.ID(2))) == "other 2-1")
        let back = try #require(resume(&streams, number, 1, "b"))
        #expect(Self.names(back.missed) == ["1-2", "1-3"] && back.previous == nil && !back.isOver)
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == "b 1-4")
        #expect(answer(&streams, 1) == "b 1-5 last")
        let again = try #require(resume(&streams, number, 4, "c"))
        #expect(Self.names(again.missed) == ["1-5"] && again.isOver, "the answer can be fetched again")
        #expect(resume(&streams, number, 6, "d") == nil)
        #expect(resume(&streams, 9, 0, "d") == nil)
    }

    @Test func whoComesBackTakesTheStreamOver() throws {
        var streams = Streams()
        let number = try begin(&streams, [request(1)], on: "old")
        _ = place(&streams, Self.log, .request(RPC.ID(1)))
        let back = try #require(resume(&streams, number, 0, "new"))
        #expect(back.previous == "old")
        streams.disconnect("old", from: number)
        #expect(answer(&streams, 1) == "new 1-2 last", "the end of the old connection is none of the new one's")
    }

    @Test func aSlowAnswerIsAStreamFromItsCommitmentOn() throws {
        var streams = Streams()
        let number = try begin(&streams, [request(1)], on: "a")
        #expect(resume(&streams, number, 0, "b") == nil)
        #expect(commit(&streams, number) == "a")
        #expect(commit(&streams, number) == nil)
        streams.disconnect("a", from: number)
        #expect(answer(&streams, 1) == nil)
        let back = try #require(resume(&streams, number, 0, "b"))
        #expect(Self.names(back.missed) == ["1-1"] && back.isOver)
    }

    @Test func silenceCommitsToo() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1)], on: "a")
        #expect(tick(&streams) == ["a"])
        #expect(tick(&streams) == ["a"])
        #expect(answer(&streams, 1) == "a 1-1 last")
    }

    @Test func aBatchEndsWithItsLastAnswer() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1), request(2)], on: "a", isCommitted: true)
        #expect(answer(&streams, 2) == "a 1-1")
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == "a 1-2")
        #expect(answer(&streams, 1) == "a 1-3 last")
    }

    @Test func anIdIsInUseUntilItsAnswer() throws {
        var streams = Streams()
        let number = try begin(&streams, [request(1)], on: "a")
        streams.disconnect("a", from: number)
        #expect(throws: RPC.Error.self) { try begin(&streams, [request(1)], on: "b") }
        #expect(throws: RPC.Error.self) { try begin(&streams, [request(2), request(2)], on: "b") }
        #expect(answer(&streams, 1) == nil)
        _ = try begin(&streams, [request(1)], on: "b")
        #expect(answer(&streams, 1) == "b last")
    }

    @Test func aCancelledRequestIsAnsweredAtOnceAndNotAgain() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1, token: 1)], on: "a")
        let error = ByteBuffer(string: "{}")
        let first = cancel(&streams, RPC.ID(1), error)
        #expect(first.map(Self.text) == "a last")
        let second = cancel(&streams, RPC.ID(1), error)
        #expect(second == nil)
        #expect(place(&streams, Self.progress("1")) == nil)
        #expect(answer(&streams, 1) == nil)
    }

    @Test func whatIsKeptIsBoundedInNumberBytesAndAge() throws {
        var streams = Streams()
        for _ in 0..<EventLog.maximumEvents + 100 { _ = place(&streams, Self.log) }
        let kept = try #require(open(&streams, "get")).waiting
        #expect(kept.count == EventLog.maximumEvents)
        #expect(kept.last?.id?.number == EventLog.maximumEvents + 100)
        _ = close(&streams)
        let large = String(repeating: "x", count: EventLog.maximumBytes / 2)
        for _ in 0..<5 { _ = place(&streams, large) }
        #expect(open(&streams, "get")?.waiting.count == 2)
        _ = close(&streams)
        _ = place(&streams, large + large + large)
        #expect(open(&streams, "get")?.waiting.count == 1, "the last one is kept, whatever its size")
        _ = close(&streams)
        _ = place(&streams, Self.log)
        for _ in 0...EventLog.maximumAge { _ = tick(&streams) }
        #expect(open(&streams, "get")?.waiting.isEmpty == true)
    }

    @Test func requestsAreBounded() throws {
        var streams = Streams()
        for id in 0..<Streams.maximumRequests { _ = try begin(&streams, [request(id)], on: "s") }
        let error = #expect(throws: RPC.Error.self) { try begin(&streams, [request(9999)], on: "s") }
        #expect(error?.code == -32000)
    }

    @Test func oneStreamTakesEverything() throws {
        var streams = Streams(everythingOn: "events")
        _ = try begin(&streams, [request(1)], on: nil)
        #expect(streams.unanswered == 1)
        #expect(place(&streams, Self.log) == "events")
        #expect(place(&streams, Self.log, .request(RPC.ID(1))) == "events")
        #expect(answer(&streams, 1) == "events")
        _ = try begin(&streams, [request(2)], on: nil)
        #expect(cancel(&streams, RPC.ID(2), ByteBuffer()) == nil, "nobody waits for an answer to what was taken back")
        #expect(resume(&streams, 0, 0, "x") == nil)
        #expect(end(&streams) == ["events"])
    }

    @Test func theEndGivesEveryStreamBack() throws {
        var streams = Streams()
        _ = try begin(&streams, [request(1)], on: "a")
        let second = try begin(&streams, [request(2)], on: "b")
        streams.disconnect("b", from: second)
        _ = open(&streams, "get")
        _ = try begin(&streams, [request(3)], on: "c", isCommitted: true)
        #expect(Set(end(&streams)) == ["a", "get", "c 3"], "nobody is left without an answer")
        #expect(end(&streams) == [])
    }

    @Test(
        arguments: [
            ("0-0", true), ("12-345", true), ("", false), ("1", false), ("1-", false), ("-1-2", false),
            ("1-2-3", false),
            ("a-b", false), ("99999999999999999999-1", false), ("1 -2", false),
        ] as [(String, Bool)])
    func namesOfEvents(text: String, isOne: Bool) { #expect(EventID(text)?.description == (isOne ? text : nil)) }
}
