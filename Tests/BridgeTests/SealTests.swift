import Bridge
import Core
import MCP
import NIOCore
import Testing

@Suite struct SealTests {
    private let seal = StateSeal()
    private let mine = StateSeal.Binding(principal: "me", digest: "d")

    @Test func opensWhatItSealed() throws {
        let text = try seal.seal(Array("content".utf8), for: mine, expiry: 1000)
        #expect(!text.contains("content"))
        #expect(try seal.open(text, for: mine, now: 999) == Array("content".utf8))
        #expect(throws: StateSeal.Refusal.expired) { try seal.open(text, for: mine, now: 1000) }
    }

    @Test(arguments: [
        StateSeal.Binding(principal: "you", digest: "d"), .init(principal: "me", digest: "e"),
        .init(principal: "m", digest: "ed"), .init(principal: "med", digest: ""),
    ])
    func belongsToOneOnly(_ other: StateSeal.Binding) throws {
        let text = try seal.seal([1], for: mine, expiry: 1000)
        #expect(throws: StateSeal.Refusal.forged) { try seal.open(text, for: other, now: 0) }
        #expect(throws: StateSeal.Refusal.forged) { try StateSeal().open(text, for: mine, now: 0) }
    }

    @Test func everyChangedCharacterIsNoticed() throws {
        let text = try seal.seal([1, 2, 3], for: mine, expiry: 1000)
        for place in text.indices {
            var changed = text
            changed.replaceSubrange(place...place, with: text[place] == "A" ? "B" : "A")
            #expect(throws: StateSeal.Refusal.forged) { try seal.open(changed, for: mine, now: 0) }
            #expect(throws: StateSeal.Refusal.forged) { try seal.open(String(text[..<place]), for: mine, now: 0) }
        }
        for odd in ["", "=", "AAAA", text + "A", text + "=", " " + text, String(repeating: "A", count: 1 << 20)] {
            #expect(throws: StateSeal.Refusal.forged) { try seal.open(odd, for: mine, now: 0) }
        }
    }

    @Test(arguments: [
        (#"{"name":"a","arguments":{"x":1,"y":2}}"#, true),
        (#"{"arguments":{"y":2,"x":1},"name":"a"}"#, true),
        (
            #"{"name":"a","arguments":{"x":1, "y":2},"inputResponses":{"k":{}},"requestState":"s","_meta":{"a":1}}"#,
            true
        ),
        (#"{"name":"b","arguments":{"x":1,"y":2}}"#, false), (#"{"name":"a","arguments":{"x":1,"y":"2"}}"#, false),
        (#"{"name":"a","arguments":{"x":1}}"#, false),
    ])
    func aRetryHasTheSameDigest(_ params: String, _ isSame: Bool) throws {
        func digest(_ text: String, _ method: String = "tools/call") throws -> String {
            RequestDigest.of(
                RPC.Request(id: RPC.ID(1), method: method, params: try RawJSON(checking: ByteBuffer(string: text))))
        }
        let first = try digest(#"{"name":"a","arguments":{"x":1,"y":2}}"#)
        #expect(try (digest(params) == first) == isSame)
        #expect(try digest(params, "prompts/get") != first)
    }
}
