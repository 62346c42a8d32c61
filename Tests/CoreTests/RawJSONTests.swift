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
        (#"{"name":"a","x": 1.0}"#, #"{"name":"b","x":1.0}"#), (#"{"x":1}"#, #"{"x":1,"name":"b"}"#),
        ("{}", #"{"name":"b"}"#), (#"{"name":1,"name":2}"#, #"{"name":"b"}"#),
    ])
    func replacesOneMember(_ before: String, _ after: String) throws {
        #expect(try raw(before).replacing("name", with: RawJSON("b")).text == after)
    }

    @Test func elementsAreTheBytesTheyCameIn() throws {
        #expect(try raw("[1.0, {\"a\": 2}]").elements().map(\.text) == ["1.0", "{\"a\": 2}"])
        #expect(throws: Failure.self) { try raw("{}").elements() }
    }

    @Test func aScalarHasNoMembers() throws {
        #expect(try raw("5").members().isEmpty)
        #expect(try raw("5")["a"] == nil)
    }
}
