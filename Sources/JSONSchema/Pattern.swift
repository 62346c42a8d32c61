internal import Core

/// A regular expression as JSON Schema has them, matched in time that grows with the text and never explodes.
///
/// What needs more than that (references to groups, looking ahead or behind) is refused, and so are Unicode classes.
struct Pattern: Sendable {
    enum Step: Sendable {
        case take(CharacterClass)
        case split(Int, Int)
        case jump(Int)
        case start
        case end
        case boundary(Bool)
        case match
    }

    let source: String
    private let program: [Step]

    static let maximumSteps = 5000

    /// - Throws: `.invalidArgument` for what is no pattern, or one of those that are refused.
    init(_ source: String) throws {
        self.source = source
        var parser = PatternParser(source)
        var program: [Step] = []
        try Self.emit(try parser.parse(), into: &program, of: source)
        self.program = program + [.match]
    }

    static func wrong(_ source: String, _ what: String) -> Failure {
        Failure(.invalidArgument, "the pattern \(JSON.quoted(String(source.prefix(80)))) \(what)")
    }

    private static func emit(_ node: PatternParser.Node, into program: inout [Step], of source: String) throws {
        guard program.count < maximumSteps else { throw wrong(source, "is too large") }
        switch node {
        case .empty: break
        case .one(let set): program.append(.take(set))
        case .start: program.append(.start)
        case .end: program.append(.end)
        case .boundary(let isOne): program.append(.boundary(isOne))
        case .sequence(let nodes): for node in nodes { try emit(node, into: &program, of: source) }
        case .choice(let nodes):
            var jumps: [Int] = []
            for (index, node) in nodes.enumerated() {
                guard index < nodes.count - 1 else {
                    try emit(node, into: &program, of: source)
                    break
                }
                let split = program.count
                program.append(.jump(0))
                try emit(node, into: &program, of: source)
                jumps.append(program.count)
                program.append(.jump(0))
                program[split] = .split(split + 1, program.count)
            }
            for jump in jumps { program[jump] = .jump(program.count) }
        case .times(let node, let least, let most):
            for _ in 0..<least { try emit(node, into: &program, of: source) }
            if let most {
                var splits: [Int] = []
                for _ in least..<most {
                    splits.append(program.count)
                    program.append(.jump(0))
                    try emit(node, into: &program, of: source)
                }
                for split in splits { program[split] = .split(split + 1, program.count) }
            } else {
                let split = program.count
                program.append(.jump(0))
                try emit(node, into: &program, of: source)
                program.append(.jump(split))
                program[split] = .split(split + 1, program.count)
            }
        }
    }

    /// In units of the checker's work.
    func cost(_ text: String) -> Int { text.utf8.count * program.count / 16 }

    /// Whether the pattern is found anywhere in the text.
    func matches(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        var current = Threads(program.count)
        var next = Threads(program.count)
        for position in 0...scalars.count {
            // A match may begin at every place.
            if follow(0, &current, scalars, position) { return true }
            guard position < scalars.count else { return false }
            for step in current.steps {
                guard case .take(let set) = program[step], set.contains(scalars[position]) else { continue }
                if follow(step + 1, &next, scalars, position + 1) { return true }
            }
            swap(&current, &next)
            next.clear()
        }
        return false
    }

    /// The steps that wait for a character, each once.
    private struct Threads {
        var steps: [Int] = []
        private var marks: [Int]
        private var mark = 1

        init(_ count: Int) { marks = Array(repeating: 0, count: count) }

        mutating func isNew(_ step: Int) -> Bool {
            if marks[step] == mark { return false }
            marks[step] = mark
            return true
        }

        mutating func clear() {
            steps.removeAll(keepingCapacity: true)
            mark += 1
        }
    }

    /// Goes on from a step to those that wait for a character.
    ///
    /// - Returns: whether the end was reached.
    private func follow(_ step: Int, _ threads: inout Threads, _ text: [UnicodeScalar], _ position: Int) -> Bool {
        var pending = [step]
        while let step = pending.popLast() {
            guard threads.isNew(step) else { continue }
            switch program[step] {
            case .match: return true
            case .take: threads.steps.append(step)
            case .jump(let target): pending.append(target)
            case .split(let first, let second): pending += [second, first]
            case .start: if position == 0 { pending.append(step + 1) }
            case .end: if position == text.count { pending.append(step + 1) }
            case .boundary(let isOne):
                let before = position > 0 && CharacterClass.word.contains(text[position - 1])
                let after = position < text.count && CharacterClass.word.contains(text[position])
                if (before != after) == isOne { pending.append(step + 1) }
            }
        }
        return false
    }
}

/// Characters that one place of a pattern takes.
struct CharacterClass: Sendable {
    var ranges: [ClosedRange<UInt32>]
    var isNegated = false

    func contains(_ scalar: UnicodeScalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isNegated
    }

    var inverted: CharacterClass { CharacterClass(ranges: ranges, isNegated: !isNegated) }

    static let digit = CharacterClass(ranges: [48...57])
    static let word = CharacterClass(ranges: [48...57, 65...90, 95...95, 97...122])
    static let space = CharacterClass(
        ranges: [
            9...13, 32...32, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
            0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
        ])
    static let newline = CharacterClass(ranges: [10...10, 13...13, 0x2028...0x2029])

    /// The ranges without negation, for use within a larger class.
    var plain: [ClosedRange<UInt32>] {
        guard isNegated else { return ranges }
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
            next = max(next, range.upperBound + 1)
        }
        return result + [next...0x10FFFF]
    }
}
