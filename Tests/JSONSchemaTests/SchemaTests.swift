import Core
import Testing

@testable import JSONSchema

@Suite struct SchemaTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let schema: String
        var right: [String] = []
        var wrong: [(String, String)] = []

        var testDescription: String { schema }
    }

    static let cases: [Case] = [
        Case(schema: "true", right: ["1", "{}"]),
        Case(schema: "false", wrong: [("null", "$ is not allowed")]),
        Case(schema: #"{"title":"x","description":"y","default":3,"examples":[1],"$comment":"z"}"#, right: ["[]"]),
        Case(
            schema: #"{"type":"integer"}"#, right: ["1", "-3", "1.0", "1e3", "120e-1"],
            wrong: [("1.5", "$ is no integer"), ("\"1\"", "$ is no integer"), ("15e-1", "$ is no integer")]),
        Case(
            schema: #"{"type":["string","null"]}"#, right: ["null", "\"\""],
            wrong: [("false", "$ is no null or string")]),
        Case(
            schema: #"{"enum":[1,{"a":1,"b":[2]},null]}"#, right: ["1.0", #"{"b":[2.0],"a":1}"#, "null"],
            wrong: [("2", "$ is none of the 3 values allowed"), (#"{"a":1}"#, "$ is none of the 3 values allowed")]),
        Case(schema: #"{"const":"x"}"#, right: ["\"x\""], wrong: [("\"y\"", "$ is not \"x\"")]),
        Case(
            schema: #"{"multipleOf":0.1}"#, right: ["0.3", "1", "0", "-2.7", "\"text\""],
            wrong: [("0.35", "$ is no multiple of 0.1")]),
        Case(schema: #"{"multipleOf":7}"#, right: ["49"], wrong: [("92325", "$ is no multiple of 7")]),
        Case(
            schema: #"{"minimum":0,"exclusiveMaximum":9007199254740993}"#, right: ["0", "9007199254740992"],
            wrong: [
                ("-0.1", "$ is too small: the limit is 0"),
                ("9007199254740993", "$ is too large: the limit is 9007199254740993"),
            ]),
        Case(
            schema: #"{"exclusiveMinimum":1,"maximum":2}"#, right: ["1.5", "2"],
            wrong: [("1", "$ is too small: the limit is 1"), ("2.1", "$ is too large: the limit is 2")]),
        Case(
            schema: #"{"minLength":2,"maxLength":3}"#, right: ["\"äö\"", "\"abc\"", "7"],
            wrong: [("\"a\"", "$ has 1 characters"), ("\"abcd\"", "$ has 4 characters")]),
        Case(
            schema: #"{"pattern":"^[a-c]+$"}"#, right: ["\"abc\""],
            wrong: [("\"abd\"", "$ does not match the pattern ^[a-c]+$")]),
        Case(
            schema: #"{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2,"uniqueItems":true}"#,
            right: ["[1]", "[1,2]"],
            wrong: [
                ("[]", "$ has 0 elements"), ("[1,2,3]", "$ has 3 elements"), ("[1,\"2\"]", "$[1] is no integer"),
                ("[1,1.0]", "$[1] repeats an earlier element"),
            ]),
        Case(
            schema: #"{"prefixItems":[{"type":"string"},true],"items":false}"#, right: ["[]", "[\"a\",1]"],
            wrong: [("[1]", "$[0] is no string"), ("[\"a\",1,2]", "$[2] is not allowed")]),
        Case(
            schema: #"{"contains":{"type":"null"},"maxContains":2}"#, right: ["[1,null]", "[null,null]"],
            wrong: [
                ("[1]", "$ contains 0 elements of the form asked for"),
                ("[null,null,null]", "$ contains 3 elements of the form asked for"),
            ]),
        Case(
            schema: #"""
                {"type":"object","properties":{"a":{"type":"integer"},"b/c":{}},"required":["a"],"additionalProperties":false}
                """#, right: [#"{"a":1}"#, #"{"a":1,"b/c":[]}"#],
            wrong: [
                ("{}", "$.a is missing"), (#"{"a":"x"}"#, "$.a is no integer"),
                (#"{"a":1,"z":1}"#, "$.z is not allowed"), ("[]", "$ is no object"),
            ]),
        Case(
            schema: #"{"patternProperties":{"^n_":{"type":"number"}},"additionalProperties":{"type":"string"}}"#,
            right: [#"{"n_a":1,"b":"x"}"#],
            wrong: [(#"{"n_a":"x"}"#, "$.n_a is no number"), (#"{"b":1}"#, "$.b is no string")]),
        Case(
            schema: #"{"minProperties":1,"maxProperties":1,"propertyNames":{"maxLength":2}}"#, right: [#"{"ab":1}"#],
            wrong: [
                ("{}", "$ has 0 members"), (#"{"a":1,"b":2}"#, "$ has 2 members"),
                (#"{"abc":1}"#, "$ has a member that may not be called \"abc\""),
            ]),
        Case(
            schema: #"{"dependentRequired":{"a":["b"],"c":["d"]},"dependentSchemas":{"e":{"required":["f"]}}}"#,
            right: ["{}", #"{"a":1,"b":1}"#, #"{"e":1,"f":1}"#],
            wrong: [(#"{"a":1}"#, "$.b is missing"), (#"{"c":1}"#, "$.d is missing"), (#"{"e":1}"#, "$.f is missing")]),
        Case(
            schema: #"{"allOf":[{"minimum":1},{"maximum":3}],"not":{"const":2}}"#, right: ["1", "3"],
            wrong: [
                ("0", "$ is too small: the limit is 1"), ("4", "$ is too large: the limit is 3"),
                ("2", "$ has a form that is not allowed"),
            ]),
        Case(
            schema: #"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, right: ["\"\"", "null"],
            wrong: [("1", "$ matches none of the 2 forms allowed")]),
        Case(
            schema: #"{"oneOf":[{"minimum":1},{"maximum":3}]}"#, right: ["0", "4"],
            wrong: [("2", "$ matches 2 of 2 forms instead of one")]),
        Case(
            schema: #"{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}"#,
            right: [#"{"a":1,"b":1}"#, #"{"c":1}"#], wrong: [(#"{"a":1}"#, "$.b is missing"), ("{}", "$.c is missing")]),
        Case(
            schema: #"""
                {"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"next":{"$ref":"#/$defs/tree"},
                "value":{"$ref":"#/$defs/a~1b%25"}}},"a/b%":{"type":"integer"}}}
                """#, right: [#"{"next":{"next":{"value":1}}}"#],
            wrong: [(#"{"next":{"next":{"value":"x"}}}"#, "$.next.next.value is no integer")]),
    ]

    @Test(arguments: cases) func valuesAreChecked(_ example: Case) throws {
        let schema = try JSONSchema(JSON(parsing: example.schema))
        for value in example.right { #expect(try schema.mismatch(JSON(parsing: value)) == nil, "\(value)") }
        for (value, mismatch) in example.wrong {
            #expect(try schema.mismatch(JSON(parsing: value)) == mismatch, "\(value)")
        }
    }

    static let refusals: [(String, String)] = [
        (#"{"unevaluatedProperties":false}"#, "unevaluatedProperties"), (#"{"nullable":true}"#, "nullable"),
        (#"{"properties":{"a":{"x-mine":1}}}"#, "#/properties/a"), (#"{"format":"phone"}"#, "\"phone\""),
        (#"{"type":"wrong"}"#, "is no type"), (#"{"type":[]}"#, "is no type"),
        ("[]", "neither an object nor a boolean"),
        (#"{"enum":[]}"#, "no list of values"), (#"{"multipleOf":0}"#, "not positive"),
        (#"{"minLength":-1}"#, "whole number"), (#"{"maxItems":1.5}"#, "whole number"), (#"{"required":"a"}"#, "list"),
        (#"{"items":[{}]}"#, "prefixItems"), (#"{"anyOf":[]}"#, "no list of schemas"),
        (##"{"$ref":"#/$defs/none"}"##, "not there"), (#"{"$ref":"http://x/y"}"#, "only #/"),
        (#"{"contains":{},"minContains":2,"maxContains":1}"#, "less than"), (#"{"pattern":"a(?=b)"}"#, "ahead"),
        (##"{"$dynamicRef":"#x"}"##, "$dynamicRef"), (#"{"properties":[]}"#, "no object"),
        (#"{"pattern":"a{1001}"}"#, "too large"), (#"{"pattern":"((a{1000}){1000})"}"#, "too large"),
    ]

    @Test(arguments: refusals) func whatIsNotCheckedIsRefused(_ schema: String, _ says: String) throws {
        let json = try JSON(parsing: schema)
        let failure = #expect(throws: Failure.self) { try JSONSchema(json) }
        #expect(failure?.code == .invalidArgument && failure?.description.contains(says) == true, "\(failure as Any)")
    }

    @Test func aSchemaThatGoesRoundEnds() throws {
        let round = try JSONSchema(JSON(parsing: ##"{"allOf":[{"$ref":"#"}]}"##))
        let failure = #expect(throws: Failure.self) { try round.mismatch(1) }
        #expect(failure?.code == .resourceExhausted)
        let list = JSON.array((0..<3000).map { .int($0) })
        let unique = try JSONSchema(["uniqueItems": true])
        #expect(throws: Failure.self) { try unique.mismatch(list) }
    }

    static let patterns: [(String, [String], [String])] = [
        ("", ["", "x"], []), ("^$", [""], ["x"]), ("b+", ["abc", "bb"], ["ac"]),
        ("^a|b$", ["ax", "xb"], ["xa", "bx"]),
        ("^(ab|cd)*$", ["", "abcd"], ["abc"]), ("^a{2}$", ["aa"], ["a", "aaa"]), ("^a{2,}$", ["aa", "aaaa"], ["a"]),
        ("^a{1,2}$", ["a", "aa"], ["", "aaa"]), ("^a?b??$", ["", "ab"], ["abb"]), ("^[^a-c]$", ["d", "ä"], ["a", ""]),
        ("^[\\w.-]+@\\w+\\.\\w{2,}$", ["a.b-c@d.ef"], ["a@b", "a b@c.de"]),
        ("^\\d{3}-\\d{4}$", ["555-1234"], ["5551234"]),
        ("^\\S+\\s\\S+$", ["a b"], ["ab"]), ("\\bcat\\b", ["a cat!"], ["concat"]), ("^\\u00e9\\x41$", ["éA"], ["eA"]),
        ("^.$", ["x", "😀"], ["\n", "xy"]), ("^(?:a)(?<n>b)$", ["ab"], ["a"]),
        ("^a{,2}$", ["a{,2}"], ["aa"]), ("^[+\\-*/]$", ["-", "/"], ["a"]), ("(a*)*b", ["aab"], ["aaaa"]),
    ]

    @Test(arguments: patterns) func patternsMatch(_ pattern: String, _ right: [String], _ wrong: [String]) throws {
        let pattern = try Pattern(pattern)
        for text in right { #expect(pattern.matches(text), "\(text)") }
        for text in wrong { #expect(!pattern.matches(text), "\(text)") }
    }

    @Test(arguments: ["(", ")", "[a", "*a", "a**", "\\", "\\1", "\\p{L}", "[z-a]", "\\q", "(?!a)", "(?<=a)", "\\u12"])
    func patternsAreRefused(_ pattern: String) {
        #expect(throws: Failure.self) { try Pattern(pattern) }
    }

    static let formats: [(Format, [String], [String])] = [
        (.dateTime, ["2026-02-28T23:59:60Z", "2024-02-29t00:00:00.5+01:00"], ["2026-02-29T00:00:00Z", "2026-01-01"]),
        (.date, ["2026-12-31"], ["2026-13-01", "26-01-01"]),
        (.time, ["12:00:00Z"], ["12:00:00", "25:00:00Z", "12:00Z"]),
        (.duration, ["P1D", "PT2H3M", "P2W", "P1Y2M3DT4S"], ["P", "PT", "1D", "P1H", "P1D2M"]),
        (.email, ["a@b.de"], ["a", "a@", "@b", "a b@c"]), (.hostname, ["a-b.c"], ["-a", "a_b", ""]),
        (.ipv4, ["127.0.0.1"], ["256.0.0.1", "01.1.1.1", "1.2.3"]),
        (.ipv6, ["::1", "2001:db8::1"], ["1.2.3.4", "g::"]),
        (.uri, ["https://x.de/a?b#c", "urn:x"], ["x", ":x", "a b:c", "x:"]),
        (.uuid, ["123e4567-E89B-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000", "x"]),
    ]

    @Test(arguments: formats) func formatsAreChecked(_ format: Format, _ right: [String], _ wrong: [String]) {
        for text in right { #expect(format.accepts(text), "\(text)") }
        for text in wrong { #expect(!format.accepts(text), "\(text)") }
    }
}
