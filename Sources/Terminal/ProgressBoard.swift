internal import Core

/// Progress of work in several parts: bars that are redrawn on a terminal, a plain line now and then elsewhere.
package struct ProgressBoard: Sendable {
    package struct Part: Sendable {
        package var current: Int64
        package var total: Int64
    }

    private let out: Console.Output
    private let verb: String
    private let doneText: String
    private var order: [String] = []
    private var parts: [String: Part] = [:]
    /// Characters of each line that stands on the terminal.
    private var drawn: [Int] = []
    private var lastPlain: Int64 = -1
    private var plainTotal: Int64 = 0

    private static let verbWidth = 13
    private static let narrowestBar = 10
    private static let widestBar = 50

    /// - Parameters:
    ///   - verb: `Downloading`, `Uploading` or another such word.
    ///   - doneText: what a finished part shows, for example `Pull complete`.
    package init(_ out: Console.Output, verb: String, doneText: String) {
        self.out = out
        self.verb = verb
        self.doneText = doneText
    }

    /// Notes how far a part is, and shows it.
    package mutating func update(_ id: String, current: Int64, total: Int64) {
        if parts[id] == nil { order.append(id) }
        // Never backwards, whatever order reports come in.
        let known = parts[id]?.current ?? 0
        parts[id] = Part(current: min(max(current, known), max(total, 0)), total: total)
        if out.canRedraw { redraw() } else { printPlainLine() }
    }

    private mutating func redraw() {
        let columns = out.columns
        // The last column stays free: a character there makes some terminals begin a new line.
        let lines = order.map { id in
            String(line(id, parts[id] ?? Part(current: 0, total: 0), width: columns - 1).prefix(max(1, columns - 1)))
        }
        // A terminal that has become narrower has broken the lines that stood there.
        let rows = drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
        let up = rows > 0 ? "\u{1B}[\(rows)A" : ""
        let rest = rows > lines.count ? "\u{1B}[J" : ""
        out.print(up + lines.map { "\r\u{1B}[2K\($0)\n" }.joined() + rest, terminator: "")
        drawn = lines.map(\.count)
    }

    /// The most telling line that has room in `width` columns.
    private func line(_ id: String, _ part: Part, width: Int) -> String {
        let name = id.prefix(12)
        if part.current >= part.total { return "\(name): \(doneText)" }
        if part.current == 0 { return "\(name): Waiting" }
        let sizes = "\(ByteCount(part.current))/\(ByteCount(part.total))"
        let share = Double(part.current) / Double(max(part.total, 1))
        let padded = verb.padded(to: Self.verbWidth)
        let room = min(Self.widestBar, width - "\(name): \(padded) [] \(sizes)".count)
        guard room >= Self.narrowestBar else {
            let short = "\(name): \(verb) \(sizes)"
            return short.count <= width ? short : "\(name): \(Int(share * 100))%"
        }
        let filled = Int(Double(room) * share)
        let bar = String(repeating: "=", count: max(filled - 1, 0)) + (filled > 0 ? ">" : "")
        return "\(name): \(padded) [\(bar.padded(to: room))] \(sizes)"
    }

    /// One line each time another tenth of the whole is done.
    private mutating func printPlainLine() {
        let current = parts.values.reduce(0) { $0 + $1.current }
        let total = parts.values.reduce(0) { $0 + $1.total }
        guard total > 0 else { return }
        // A part that has just become known makes the whole larger than the tenths so far were of.
        if total > plainTotal {
            (plainTotal, lastPlain) = (total, current == 0 ? -1 : min(lastPlain, current * 10 / total))
        }
        let tenth = current * 10 / total
        guard tenth > lastPlain, current > 0 else { return }
        lastPlain = tenth
        let past = verb.hasSuffix("ing") ? verb.dropLast(3) + "ed" : verb[...]
        out.print("\(past) \(ByteCount(current)) of \(ByteCount(total))")
    }
}
