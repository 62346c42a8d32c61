import Core
import NIOCore
import TestSupport
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-1", "1.0", "1e3", "-0.5E-7", "12345678901234567890", #""""#, #""a\nb""#, "[]",
        "{}", #"[1,"two",null,{"z":1,"a":[2]}]"#, #"{"b":1.0,"a":2,"/":"/"}"#, #""é 漢 😀""#,
    ])
    func keepsOrderAndNumberText(_ text: String) throws {
        #expect(try JSON(parsing: text).text == text)
        #expect(try RawJSON(checking: ByteBuffer(string: text)).text == text)
    }

    @Test(arguments: [
        "", " ", "nul", "truex", "01", "1.", ".5", "+1", "1e", "\"", "\"\\x\"", "\"\\u12\"", "\"a\u{01}\"", "[1,]",
        "[1 2]",
        "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "[1]]", "1 2", "// c\n1", "'a'", "NaN", "{\"a\":1 \"b\":2}",
    ])
    func refusesWhatIsNoJSON(_ text: String) {
        #expect(throws: Failure.self) { try JSON(parsing: text) }
        #expect(throws: Failure.self) { try RawJSON(checking: ByteBuffer(string: text)) }
    }

    @Test(arguments: [
        (#""\u0041\u00e9""#, "Aé"), (#""\ud83d\ude00""#, "😀"), (#""\ud83dx""#, "\u{FFFD}x"),
        (#""\ud83d\u0041""#, "\u{FFFD}A"),
        (#""\/\b\f\"\\""#, "/\u{08}\u{0C}\"\\"), (#""\udc00""#, "\u{FFFD}"),
    ])
    func resolvesEscapes(_ text: String, _ expected: String) throws {
        #expect(try JSON(parsing: text).string == expected)
    }

    @Test func aRepeatedNameKeepsItsLastValueAtItsFirstPlace() throws {
        #expect(try JSON(parsing: #"{"a":1,"b":2,"a":3}"#).text == #"{"a":3,"b":2}"#)
    }

    @Test func nestingIsBounded() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: Failure.self) { try JSON(parsing: deep) }
        #expect(throws: Failure.self) { try RawJSON(checking: ByteBuffer(string: deep)) }
    }

    @Test func refusesBytesThatAreNotUTF8() {
        let bytes: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
        #expect(throws: Failure.self) { try JSON(parsing: bytes) }
        #expect(throws: Failure.self) { try RawJSON(checking: ByteBuffer(bytes: bytes)) }
    }

    @Test func laysOutLikeGo() throws {
        let json: JSON = ["a": 1, "b": [1, 2], "c": [], "d": ["e": nil]]
        #expect(
            json.text(indent: 2) == """
                {
                  "a": 1,
                  "b": [
                    1,
                    2
                  ],
                  "c": [],
                  "d": {
                    "e": null
                  }
                }
                """)
    }

    @Test func controlCharactersAreEscaped() throws {
        let text = "\u{00}\u{1f}\u{7f}\n\t\"\\"
        let written = JSON.string(text).text
        #expect(written == "\"\\u0000\\u001f\u{7f}\\n\\t\\\"\\\\\"")
        #expect(try JSON(parsing: written).string == text)
    }

    @Test(
        arguments: [("5", 5), ("5.0", 5), ("5e2", 500), ("5.5", nil), ("1e300", nil), ("\"5\"", nil)]
            as [(String, Int?)])
    func integers(_ text: String, _ expected: Int?) throws {
        #expect(try JSON(parsing: text).int == expected)
    }

    /// Whatever is mutated, the tree and the scan agree on what is JSON, and neither crashes.
    @Test(arguments: 1...20) func mutatedTextsAreReadTheSameWayTwice(_ seed: UInt64) throws {
        var random = SeededRandom(seed)
        let start = Array(#"{"jsonrpc":"2.0","id":1,"params":{"a":[1.5e3,-2,true,null,"x\né\u0041"],"b":{}}}"#.utf8)
        for _ in 0..<500 {
            var bytes = start
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8(ascii: "\"{}[],:"[Int.random(in: 0..<7, using: &random)]), at: place)
                }
            }
            let tree = try? JSON(parsing: bytes)
            let raw = try? RawJSON(checking: ByteBuffer(bytes: bytes))
            #expect((tree == nil) == (raw == nil))
            if let tree, let raw { #expect(try raw.parsed() == tree) }
        }
    }
}

extension UInt8 {
    fileprivate init(ascii character: Character) { self = character.asciiValue ?? 0 }
}

extension String {
    fileprivate subscript(_ offset: Int) -> Character { self[index(startIndex, offsetBy: offset)] }
}
