/// A command line that cannot be run: what docker says to it, and with which exit code it ends.
struct UsageError: Sendable, Equatable {
    let text: String
    let exitCode: Int32

    /// A flag that is unknown, or lacks its value.
    static let wrongFlag: Int32 = 125

    /// - Parameter message: ArgumentParser's words, for what the line's shape does not tell.
    init(_ scan: CommandScan, message: String) {
        let command = scan.command
        let more = "Run '\(command.title) --help' for more information"
        let usage = "Usage:  \(command.isGroup ? command.title : command.usage)"
        func error(_ words: String, _ code: Int32 = Self.wrongFlag) -> UsageError {
            UsageError(text: [words, usage, more].joined(separator: "\n\n"), exitCode: code)
        }
        let missing = command.options.filter { $0.isRequired && scan.given[$0.name] == nil }
        self =
            switch scan.finalProblem {
            case .unknownFlag(let flag): error("unknown flag: \(flag)")
            case .unknownShorthand(let letter, let word): error("unknown shorthand flag: '\(letter)' in \(word)")
            case .missingValue(let flag): error("flag needs an argument: \(flag)")
            case .unknownCommand(let word):
                error("\(command.path[0]): unknown command: \(command.title) \(word)", 1)
            case nil:
                if let words = Self.wrongCount(scan) {
                    UsageError(
                        text: """
                            '\(command.title)' \(words)

                            \(usage)

                            See '\(command.title) --help' for more information
                            """, exitCode: 1)
                } else if !missing.isEmpty {
                    error(
                        "required flag(s) \(missing.map { "\"\($0.name)\"" }.joined(separator: ", ")) not set", 1)
                } else if let words = Self.wrongValue(message) {
                    error(words)
                } else {
                    UsageError(text: "\(message)\n\n\(more)", exitCode: 1)
                }
            }
    }

    private init(text: String, exitCode: Int32) {
        self.text = text
        self.exitCode = exitCode
    }

    /// Docker's words for more or fewer arguments than the command takes; nil where the number is right.
    private static func wrongCount(_ scan: CommandScan) -> String? {
        let takes = scan.command.positionals
        guard !scan.command.isGroup else { return nil }
        let least = takes.filter { !$0.isOptional }.count
        let most = takes.contains { $0.isRepeating || $0.takesTheRest } ? nil : takes.count
        let count = scan.positionals.count
        guard count < least || count > most ?? count else { return nil }
        func arguments(_ number: Int) -> String { "\(number) argument\(number == 1 ? "" : "s")." }
        guard let most else { return "requires at least \(arguments(least))" }
        if most == 0 { return "accepts no arguments." }
        if least == most { return "requires \(arguments(most))" }
        return count < least ? "requires at least \(arguments(least))" : "requires at most \(arguments(most))"
    }

    /// `The value 'x' is invalid for '--temperature <temperature>'`, as docker would say it.
    private static func wrongValue(_ message: String) -> String? {
        let parts = message.split(separator: "'", omittingEmptySubsequences: false)
        guard message.hasPrefix("The value '"), parts.count >= 4,
            let flag = parts[3].split(separator: " ").first, flag.hasPrefix("-")
        else { return nil }
        let reason = parts.dropFirst(4).joined(separator: "'").trimmingPrefix { $0 == ":" || $0 == "." || $0 == " " }
        return "invalid argument \"\(parts[1])\" for \"\(flag)\" flag" + (reason.isEmpty ? "" : ": \(reason)")
    }
}
