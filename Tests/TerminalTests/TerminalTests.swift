import Synchronization
import SystemPackage
import Terminal
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Collects what a console writes.
private final class Sink: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
    func output(
        isTerminal: Bool, isDumb: Bool = false, columns: @escaping @Sendable () -> Int = { 80 }
    ) -> Console.Output {
        Console.Output(isTerminal: isTerminal, isDumb: isDumb, columns: columns) { [self] more in
            bytes.withLock { $0 += more }
        }
    }
}

@Suite struct TerminalTests {
    /// A reader that never comes must not hold a program up, and one that comes later misses only the rest.
    @Test func whatIsOfferedWaitsForNobody() async throws {
        let (reader, writer) = try FileDescriptor.pipe()
        defer {
            try? reader.close()
            try? writer.close()
        }
        let output = Console.Output(writer, environment: [:])
        for _ in 0..<100 { await output.offer(String(repeating: "x", count: 10_000)) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
        let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
        #expect(lines.count > 5 && lines.count < 100)
        #expect(lines.allSatisfy { $0.utf8.count == Console.Output.maximumOffer })
        await output.offer("again")
        #expect(try bytes.withUnsafeMutableBytes { try reader.read(into: $0) } == 6)
    }

    @Test func tablesAreDockers() {
        var table = Table(["MODEL NAME", "SIZE"])
        table.append(["a", "1.00MB"])
        table.append(["a-long-name", "2B"])
        #expect(
            table.text == """
                MODEL NAME   SIZE    
                a            1.00MB  
                a-long-name  2B      
                """)
    }

    @Test(arguments: [
        ("\u{1B}[31mred", "\u{FFFD}[31mred"), ("a\u{202E}b", "a\u{FFFD}b"), ("tab\there", "tab\there"), ("é漢", "é漢"),
    ])
    func whatIsShownCannotDriveTheTerminal(_ text: String, _ shown: String) {
        #expect(text.printable == shown)
    }

    @Test func anOutputKnowsThatNobodyReads() throws {
        let readOnly = try FileDescriptor.open("/dev/null", .readOnly)
        defer { try? readOnly.close() }
        let broken = Console.Output(readOnly, environment: [:])
        #expect(throws: Never.self) { try broken.checkIsRead() }
        broken.print("x")
        #expect(broken.loss == .badFileDescriptor)
        #expect(throws: OutputLost.self) { try broken.checkIsRead() }
        let sound = Sink().output(isTerminal: false)
        sound.print("x")
        #expect(sound.loss == nil)
    }

    @Test func aPipeThatIsNotToWaitLosesNothing() async throws {
        let (reader, writer) = try FileDescriptor.pipe()
        defer { try? reader.close() }
        let flags = fcntl(writer.rawValue, F_GETFL)
        #expect(fcntl(writer.rawValue, F_SETFL, flags | O_NONBLOCK) == 0)
        let output = Console.Output(writer, environment: [:])
        async let written: Void = {
            output.print(String(repeating: "x", count: 300_000), terminator: "")
            try writer.close()
        }()
        var count = 0
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while case let size = try chunk.withUnsafeMutableBytes({ try reader.read(into: $0) }), size > 0 {
            count += size
        }
        try await written
        #expect(count == 300_000)
        #expect(output.loss == nil)
    }

    @Test func aTableCellStaysOnItsLine() {
        var table = Table(["A"])
        table.append(["x\ny\u{1B}[2J"])
        #expect(table.text == "A        \nx y\u{FFFD}[2J  ")
    }

    @Test func progressIsLinesWithoutATerminal() {
        let sink = Sink()
        var board = ProgressBoard(sink.output(isTerminal: false), verb: "Downloading", doneText: "Pull complete")
        for current in stride(from: Int64(0), through: 1000, by: 1) {
            board.update("layer", current: current, total: 1000)
        }
        let lines = sink.text.split(separator: "\n")
        #expect(lines.count <= 11)
        #expect(lines.last == "Downloaded 1.00kB of 1.00kB")
        #expect(!sink.text.contains("\u{1B}"))
    }

    @Test func progressIsLinesOnADumbTerminal() {
        let sink = Sink()
        let out = sink.output(isTerminal: true, isDumb: true)
        var board = ProgressBoard(out, verb: "Downloading", doneText: "Pull complete")
        for current in stride(from: Int64(0), through: 1000, by: 1) {
            board.update("layer", current: current, total: 1000)
        }
        #expect(sink.text.split(separator: "\n").count <= 11)
        #expect(!sink.text.contains("\u{1B}"))
    }

    /// A line that the terminal breaks in two would be drawn once more with every step.
    @Test(arguments: [
        (200, "[", true), (80, "[", true), (61, "[", true), (45, "Downloading 123.46MB/300.00MB", false),
        (30, ": 41%", false), (10, "012345678", false), (1, "0", false),
    ])
    func progressKeepsToTheTerminalsWidth(_ columns: Int, _ shown: String, _ hasBar: Bool) {
        let sink = Sink()
        var board = ProgressBoard(
            sink.output(isTerminal: true, columns: { columns }), verb: "Downloading", doneText: "Pull complete")
        board.update("0123456789abcdef", current: 123_456_789, total: 300_000_000)
        let line = sink.text.replacing("\r\u{1B}[2K", with: "").split(separator: "\n").last ?? ""
        #expect(line.count <= max(1, columns - 1), "\(line)")
        #expect(line.contains(shown), "\(line)")
        #expect(line.contains("[") == hasBar, "\(line)")
    }

    @Test func progressStartsAboveTheLinesThatANarrowerTerminalHasBroken() {
        let columns = Mutex(80)
        let sink = Sink()
        var board = ProgressBoard(
            sink.output(isTerminal: true, columns: { columns.withLock { $0 } }), verb: "Downloading",
            doneText: "Pull complete")
        board.update("a", current: 1, total: 1_000_000)
        board.update("b", current: 1, total: 1_000_000)
        #expect(sink.text.hasSuffix("\n"))
        columns.withLock { $0 = 40 }
        // Two lines of up to 79 characters take four rows of 40.
        board.update("a", current: 2, total: 1_000_000)
        #expect(sink.text.contains("\u{1B}[4A"))
        #expect(sink.text.hasSuffix("\n\u{1B}[J"))
        board.update("a", current: 3, total: 1_000_000)
        #expect(sink.text.contains("\u{1B}[2A\r\u{1B}[2Ka:"))
    }

    @Test func progressNeverGoesBackwards() {
        let sink = Sink()
        var board = ProgressBoard(sink.output(isTerminal: true), verb: "Downloading", doneText: "Pull complete")
        board.update("0123456789abcdef", current: 900, total: 1000)
        board.update("0123456789abcdef", current: 100, total: 1000)
        let last = sink.text.split(separator: "\n", omittingEmptySubsequences: true).last ?? ""
        #expect(last.contains("0123456789ab: Downloading"))
        #expect(last.hasSuffix("900B/1.00kB"))
        board.update("0123456789abcdef", current: 1000, total: 1000)
        #expect(sink.text.contains("0123456789ab: Pull complete"))
    }

    @Test func coloursAreForTerminals() {
        #expect(Sink().output(isTerminal: false).styled("x", .red) == "x")
        #expect(Sink().output(isTerminal: true).styled("x", .red) == "\u{1B}[31mx\u{1B}[0m")
    }
}
