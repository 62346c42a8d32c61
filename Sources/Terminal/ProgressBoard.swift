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
    private var drawnLines = 0
    private var lastPlain: Int64 = -1

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
        if out.isTerminal { redraw() } else { printPlainLine() }
    }

    private mutating func redraw() {
        let lines = order.map { id in line(id, parts[id] ?? Part(current: 0, total: 0)) }
        let up = drawnLines > 0 ? "\u{1B}[\(drawnLines)A" : ""
        out.print(up + lines.map { "\r\u{1B}[2K\($0)" }.joined(separator: "\n"))
        drawnLines = lines.count
    }

    private func line(_ id: String, _ part: Part) -> String {
        let name = id.prefix(12)
        if part.current >= part.total { return "\(name): \(doneText.padded(to: 13))" }
        if part.current == 0 { return "\(name): \("Waiting".padded(to: 13))" }
        let sizes = "\(ByteCount(part.current))/\(ByteCount(part.total))"
        let width = max(10, min(50, out.columns - 12 - 2 - 13 - sizes.count - 6))
        let filled = Int(Double(width) * Double(part.current) / Double(max(part.total, 1)))
        let bar = String(repeating: "=", count: max(filled - 1, 0)) + (filled > 0 ? ">" : "")
        return "\(name): \(verb.padded(to: 13)) [\(bar.padded(to: width))] \(sizes)"
    }

    /// One line each time another tenth of the whole is done.
    private mutating func printPlainLine() {
        let current = parts.values.reduce(0) { $0 + $1.current }
        let total = parts.values.reduce(0) { $0 + $1.total }
        guard total > 0 else { return }
        let tenth = current * 10 / total
        guard tenth > lastPlain, current > 0 else { return }
        lastPlain = tenth
        let past = verb.hasSuffix("ing") ? verb.dropLast(3) + "ed" : verb[...]
        out.print("\(past) \(ByteCount(current)) of \(ByteCount(total))")
    }
}
