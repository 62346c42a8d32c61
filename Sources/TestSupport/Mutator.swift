/// Makes wrong bytes of right ones: flips, cuts, repeats, and puts in what parsers like least. Equal seeds give equal bytes.
package struct Mutator {
    private var random: SeededRandom

    /// Numbers at the edges, brackets that pile up, and words of the formats themselves.
    private static let words: [[UInt8]] =
        [
            [0, 0, 0, 0, 0, 0, 0, 0], [UInt8](repeating: 0xFF, count: 8), [0xFF, 0xFF, 0xFF, 0x7F],
            [0, 0, 0, 0, 0, 0, 0, 0x80], [1, 0, 0, 0, 0, 0, 0, 0], [0xC0, 0x80], [0xED, 0xA0, 0x80],
            [0xEF, 0xBB, 0xBF],
        ]
        + [
            "..", "/", "../", "\"", "\"\"\"", "\\u0000", "\\uD800", "{", "[", "}", "]", ":", ",", "-1", "1e999", "null",
            "18446744073709551615", "9223372036854775807", "sha256:", "\n", "\r\n", "#", "@", "FROM ", "stop ",
            String(repeating: "[", count: 200), String(repeating: "a", count: 300),
        ].map { Array($0.utf8) }

    package init(seed: UInt64) { random = SeededRandom(seed) }

    package mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...result.count, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0 where place < result.count: result[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1 where place < result.count: result[place] = .random(in: 0...255, using: &random)
            case 2: result.insert(contentsOf: word(), at: place)
            case 3:
                let word = word()
                result.replaceSubrange(place..<min(place + word.count, result.count), with: word)
            case 4: result.removeSubrange(place..<min(place + length(), result.count))
            case 5: result.insert(contentsOf: result[place..<min(place + length(), result.count)], at: place)
            default: if Bool.random(using: &random) { result.removeSubrange(place...) }
            }
        }
        return result
    }

    private mutating func word() -> [UInt8] { Self.words.randomElement(using: &random) ?? [] }

    private mutating func length() -> Int { Int.random(in: 1...32, using: &random) }
}
