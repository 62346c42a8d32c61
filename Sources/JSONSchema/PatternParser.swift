internal import Core

/// Reads a pattern's text.
struct PatternParser {
    indirect enum Node {
        case empty
        case one(CharacterClass)
        case start
        case end
        case boundary(Bool)
        case sequence([Node])
        case choice([Node])
        case times(Node, Int, Int?)
    }

    private let source: String
    private var rest: ArraySlice<UnicodeScalar>
    private var depth = 0

    init(_ source: String) {
        self.source = source
        rest = Array(source.unicodeScalars)[...]
    }

    private static let maximumDepth = 100
    private static let maximumTimes = 1000

    private func wrong(_ what: String) -> Failure { Pattern.wrong(source, what) }

    mutating func parse() throws -> Node {
        let node = try choice()
        if !rest.isEmpty { throw wrong("has a ) too much") }
        return node
    }

    private mutating func take(_ scalar: UnicodeScalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func choice() throws -> Node {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else { throw wrong("is nested too deeply") }
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws -> Node {
        var nodes: [Node] = []
        while let scalar = rest.first, scalar != "|", scalar != ")" {
            let node = try atom()
            nodes.append(try repeated(node))
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func repeated(_ node: Node) throws -> Node {
        var bounds: (Int, Int?)?
        if take("*") {
            bounds = (0, nil)
        } else if take("+") {
            bounds = (1, nil)
        } else if take("?") {
            bounds = (0, 1)
        } else if rest.first == "{", let counted = counted() {
            bounds = counted
        }
        guard let (least, most) = bounds else { return node }
        guard least <= Self.maximumTimes, most.map({ $0 <= Self.maximumTimes && $0 >= least }) ?? true else {
            throw wrong("has a repetition that is too large")
        }
        // Whether few or many are tried first makes no difference to whether there is a match.
        _ = take("?")
        if let next = rest.first, next == "*" || next == "+" { throw wrong("repeats a repetition") }
        return .times(node, least, most)
    }

    /// `{2}`, `{2,}`, `{2,5}`; anything else is the character itself.
    private mutating func counted() -> (Int, Int?)? {
        guard let end = rest.firstIndex(of: "}") else { return nil }
        let text = String(String.UnicodeScalarView(rest[rest.startIndex + 1..<end]))
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts[0].allSatisfy(\.isNumber), let least = Int(parts[0]) else {
            return nil
        }
        var most: Int? = least
        if parts.count == 2 {
            most = Int(parts[1])
            guard most != nil || parts[1].isEmpty else { return nil }
        }
        rest = rest[(end + 1)...]
        return (least, most)
    }

    private mutating func atom() throws -> Node {
        let scalar = rest.removeFirst()
        switch scalar {
        case "^": return .start
        case "$": return .end
        case ".": return .one(CharacterClass.newline.inverted)
        case "*", "+", "?": throw wrong("repeats nothing")
        case "(": return try group()
        case "[": return .one(try set())
        case "\\":
            if take("b") { return .boundary(true) }
            if take("B") { return .boundary(false) }
            return .one(try escape())
        default: return .one(CharacterClass(ranges: [scalar.value...scalar.value]))
        }
    }

    private mutating func group() throws -> Node {
        if take("?") {
            if take("<"), let end = rest.firstIndex(of: ">"), rest.first != "=", rest.first != "!" {
                rest = rest[(end + 1)...]
            } else if !take(":") {
                throw wrong("looks ahead or behind, which is not supported")
            }
        }
        let node = try choice()
        guard take(")") else { throw wrong("lacks a )") }
        return node
    }

    /// The set after a backslash.
    private mutating func escape() throws -> CharacterClass {
        guard let scalar = rest.popFirst() else { throw wrong("ends in a backslash") }
        func one(_ value: UInt32) -> CharacterClass { CharacterClass(ranges: [value...value]) }
        switch scalar {
        case "d": return .digit
        case "D": return CharacterClass.digit.inverted
        case "w": return .word
        case "W": return CharacterClass.word.inverted
        case "s": return .space
        case "S": return CharacterClass.space.inverted
        case "n": return one(10)
        case "r": return one(13)
        case "t": return one(9)
        case "f": return one(12)
        case "v": return one(11)
        case "0": return one(0)
        case "x": return one(try hexadecimal(2))
        case "u": return one(try hexadecimal(4))
        case "1"..."9", "k": throw wrong("refers to a group, which is not supported")
        case "p", "P": throw wrong("has a Unicode class, which is not supported")
        case "a"..."z", "A"..."Z": throw wrong("has an unknown escape: \\\(scalar)")
        default: return one(scalar.value)
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws -> UInt32 {
        let text = String(String.UnicodeScalarView(rest.prefix(digits)))
        guard text.utf8.count == digits, text.allSatisfy(\.isHexDigit), let value = UInt32(text, radix: 16) else {
            throw wrong("has a bad hexadecimal escape")
        }
        rest = rest.dropFirst(digits)
        return value
    }

    private mutating func set() throws -> CharacterClass {
        var result = CharacterClass(ranges: [])
        if take("^") { result.isNegated = true }
        while !take("]") {
            let low = try member()
            guard rest.first == "-", rest.dropFirst().first != "]", let start = low.single else {
                result.ranges += low.plain
                continue
            }
            rest.removeFirst()
            guard let end = try member().single, start <= end else { throw wrong("has a bad range of characters") }
            result.ranges.append(start...end)
        }
        return result
    }

    private mutating func member() throws -> CharacterClass {
        guard let scalar = rest.popFirst() else { throw wrong("lacks a ]") }
        if scalar == "\\" {
            if take("b") { return CharacterClass(ranges: [8...8]) }
            return try escape()
        }
        return CharacterClass(ranges: [scalar.value...scalar.value])
    }
}

extension CharacterClass {
    fileprivate var single: UInt32? {
        guard !isNegated, ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }
}
