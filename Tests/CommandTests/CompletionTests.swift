import ArgumentParser
import Testing

@testable import Commands

private enum Mode: String, ExpressibleByArgument, CaseIterable { case fast, slow, still }

private struct Go: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Goes", aliases: ["walk"])
    @Option(help: "How.") var mode: Mode = .fast
    @Option(help: ArgumentHelp("Which servers.", valueName: "servers")) var mcp: String?
    @Option(help: ArgumentHelp("From where.", valueName: "file")) var map: String?
    @Option(help: ArgumentHelp("To where.", valueName: "folder")) var out: String?
    @Option(help: "A picture.", completion: .file(extensions: ["png"])) var picture: String?
    @Option(name: .shortAndLong, help: "Words.") var label: [String] = []
    @Flag(name: .shortAndLong, help: "Say nothing.") var quiet = false
    @Flag(help: .hidden) var secretly = false
    @Argument var model: String
    @Argument var rest: [String] = []
}

private struct Drop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Drops")
    @Argument var models: [String]
}

private struct Make: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Makes\nthings")
    @Option(help: "Of what.") var from: String
    @Argument var name: String
}

private struct Hidden: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)
}

private struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", version: "1", subcommands: [Go.self, Drop.self, Make.self, Hidden.self])
}

@Suite struct CompletionTests {
    private func complete(_ words: [String]) async throws -> Completion {
        await Completion(try CommandTree(Root.self), words) { name in
            switch name {
            case "model", "models": [Candidate("pebble"), Candidate("x/y:z"), Candidate("pearl")]
            case "servers": [Candidate("time", "Tells it"), Candidate("git"), Candidate("tools")]
            default: []
            }
        }
    }

    struct Line: Sendable, CustomTestStringConvertible {
        /// What is typed; `|` stands for an empty last word.
        let typed: String
        let candidates: String
        var directive = 4
        var testDescription: String { typed }

        init(_ typed: String, _ candidates: String, _ directive: Int = 4) {
            (self.typed, self.candidates, self.directive) = (typed, candidates, directive)
        }
    }

    @Test(arguments: [
        Line("|", "go drop make"),
        Line("m", "make"),
        Line("w", ""),
        Line("nonsense |", ""),
        Line("-", "--version"),
        Line("go --", "--label --map --mcp --mode --out --picture --quiet"),
        Line("go -", "--label -l --map --mcp --mode --out --picture --quiet -q"),
        Line("go --mo", "--mode"),
        // Given once, offered no more, unless it may be repeated.
        Line("go -q --label x --map f --", "--label --mcp --mode --out --picture"),
        Line("walk --mode |", "fast slow still"),
        Line("go --mode s", "slow still"),
        Line("go --mode=s", "slow still"),
        Line("go --mcp |", "time git tools", 6),
        Line("go --mcp t", "time tools", 6),
        Line("go --mcp time,|", "time,git time,tools", 6),
        Line("go --mcp time,git,t", "time,git,tools", 4),
        Line("go --map |", "", 0),
        Line("go --out |", "", 16),
        Line("go --picture |", "png", 8),
        Line("go --label |", ""),
        Line("go |", "pebble x/y:z pearl"),
        Line("go pe", "pebble pearl"),
        Line("go --quiet pe", "pebble pearl"),
        Line("go pebble |", ""),
        Line("go -- pe", "pebble pearl"),
        Line("go -- -", ""),
        // A model that is named already is not offered again.
        Line("drop pebble p", "pearl"),
        Line("make |", "--from"),
        Line("make --from x |", ""),
    ])
    func offers(_ line: Line) async throws {
        let words = line.typed.split(separator: " ").map { $0 == "|" ? "" : String($0.filter { $0 != "|" }) }
        let completion = try await complete(words)
        #expect(completion.candidates.map(\.text).joined(separator: " ") == line.candidates)
        #expect(completion.directive.rawValue == line.directive)
    }

    @Test func speaksTheProtocol() async throws {
        let completion = try await complete(["go", "--mcp", "t"])
        #expect(completion.lines(withDescriptions: true) == ["time\tTells it", "tools", ":6"])
        #expect(completion.lines(withDescriptions: false) == ["time", "tools", ":6"])
        #expect(
            completion.remark
                == "Completion ended with directive: ShellCompDirectiveNoSpace, ShellCompDirectiveNoFileComp")
        // A description is one line.
        #expect(try await complete(["ma"]).lines(withDescriptions: true) == ["make\tMakes", ":4"])
    }
}
