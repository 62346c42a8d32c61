import Core
import NIOCore
import Testing

@Suite struct RawJSONTests {
    private func raw(_ text: String) throws -> RawJSON { try RawJSON(checking: ByteBuffer(string: text)) }

    @Test func membersAreTheBytesTheyCameIn() throws {
        let members = try raw(#" { "a" : 1.0 , "b\u0041":[ 1 , 2 ] } "#).members()
        #expect(members.map(\.name) == ["a", "bA"])
        #expect(members.map(\.value.text) == ["1.0", "[ 1 , 2 ]"])
    }

    @Test(arguments: [
        (#"{ "name" :"a","x": 1.0}"#, #"{ "name" :"b","x": 1.0}"#), (#"{"x":1}"#, #"{"x":1,"name":"b"}"#),
        ("{}", #"{"name":"b"}"#), (#"{"name":1,"name":2}"#, #"{"name":"b","name":"b"}"#),
        (#"{"n\u0061me":1}"#, #"{"n\u0061me":"b"}"#), ("{ }", #"{"name":"b"}"#),
        (#"{"x":1 }"#, #"{"x":1,"name":"b" }"#),
    ])
    func replacesOneMember(_ before: String, _ after: String) throws {
        #expect(try raw(before).replacing("name", with: RawJSON("b")).text == after)
    }

    @Test(arguments: [
        (#"{"a":1,"b": 2,"c":3}"#, #"{"b": 2}"#), (#"{"b":2}"#, #"{"b":2}"#), (#"{ "a":1 }"#, "{}"), ("{}", "{}"),
    ])
    func leavesMembersOut(_ before: String, _ after: String) throws {
        #expect(try raw(before).removing(["a", "c"]).text == after)
    }

    @Test func findsSeveralMembersAtOnce() throws {
        let found = try raw(#"{"a":1,"b":2,"\u0061":3}"#).members(named: ["a", "b", "c"])
        #expect(found.map { $0?.text } == ["3", "2", nil])
    }

    @Test func aValueOnSeveralLinesIsPutOnOne() throws {
        #expect(try raw("{\n\"a\":\r\n\"x\\n\"}").onOneLine.text == "{ \"a\":  \"x\\n\"}")
    }

    @Test(arguments: [(#""a\u00e9\n""#, "aé\n"), ("5", nil), (#""""#, "")] as [(String, String?)])
    func readsAString(_ text: String, _ expected: String?) throws { #expect(try raw(text).string == expected) }

    @Test func elementsAreTheBytesTheyCameIn() throws {
        #expect(try raw("[1.0, {\"a\": 2}]").elements().map(\.text) == ["1.0", "{\"a\": 2}"])
        #expect(throws: Failure.self) { try raw("{}").elements() }
    }

    @Test func aScalarHasNoMembers() throws {
        #expect(try raw("5").members().isEmpty)
        #expect(try raw("5")["a"] == nil)
    }
}
