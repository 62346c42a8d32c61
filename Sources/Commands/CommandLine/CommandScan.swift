/// A command line read along the tree of commands, the way docker reads its own: which command is meant, what it is
/// given, and the first thing that is wrong.
struct CommandScan: Sendable {
    enum Problem: Sendable, Equatable {
        case unknownFlag(String)
        case unknownShorthand(Character, in: String)
        case missingValue(String)
        case unknownCommand(String)
    }

    private(set) var command: CommandTree
    private(set) var positionals: [String] = []
    /// The options given, by name.
    private(set) var given: [String: [String]] = [:]
    private(set) var wantsHelp = false
    private(set) var problem: Problem?
    /// The option whose value comes next.
    private(set) var pending: CommandOption?
    /// Whether flags are not read any more.
    private(set) var isTerminated = false
    private var pendingFlag = ""
    /// The words with `--flag=true` and `--flag=false`, which ArgumentParser does not know, put as `--flag`, `--no-flag`
    /// or nothing.
    private(set) var words: [String] = []

    init(_ root: CommandTree, _ words: some Sequence<String>) {
        command = root
        for word in words { take(word) }
    }

    /// The first thing that is wrong with a line that ends here.
    var finalProblem: Problem? { problem ?? (pending == nil ? nil : .missingValue(pendingFlag)) }

    private mutating func take(_ word: String) {
        if !isTerminated, pending == nil, let (flag, value) = Self.boolean(word),
            let option = command.option(long: flag), option.value == nil
        {
            spell(flag, value)
            given[option.name, default: []].append(value ? "true" : "false")
            return
        }
        words.append(word)
        read(word)
    }

    /// `--flag=VALUE` with one of the values Go takes for a truth.
    static func boolean(_ word: String) -> (flag: String, value: Bool)? {
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return nil }
        let flag = String(word[..<equals].dropFirst(2))
        switch word[word.index(after: equals)...] {
        case "1", "t", "T", "true", "TRUE", "True": return (flag, true)
        case "0", "f", "F", "false", "FALSE", "False": return (flag, false)
        default: return nil
        }
    }

    private mutating func spell(_ flag: String, _ value: Bool) {
        if value { return words.append("--\(flag)") }
        let opposite = flag.hasPrefix("no-") ? String(flag.dropFirst(3)) : "no-\(flag)"
        if command.option(long: opposite) != nil { return words.append("--\(opposite)") }
        words.removeAll { $0 == "--\(flag)" }
    }

    private mutating func read(_ word: String) {
        if isTerminated {
            positionals.append(word)
        } else if let option = pending {
            pending = nil
            if word.hasPrefix("-"), word.count > 1, Double(word) == nil {
                note(.missingValue(pendingFlag))
                read(word)
            } else {
                given[option.name, default: []].append(word)
            }
        } else if word == "--" {
            isTerminated = true
        } else if word.hasPrefix("--") {
            takeLong(word)
        } else if word.hasPrefix("-"), word.count > 1 {
            takeShort(word)
        } else if command.isGroup, positionals.isEmpty {
            descend(word)
        } else {
            let index = min(positionals.count, command.positionals.count - 1)
            positionals.append(word)
            if command.positionals.indices.contains(index), command.positionals[index].takesTheRest {
                isTerminated = true
            }
        }
    }

    private mutating func descend(_ word: String) {
        if let next = command.subcommand(word) {
            command = next
        } else if word == "help", !wantsHelp {
            wantsHelp = true
        } else {
            note(.unknownCommand(word))
            positionals.append(word)
        }
    }

    private mutating func takeLong(_ word: String) {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        if name == "help" {
            wantsHelp = true
        } else if let option = command.option(long: name) {
            take(option, "--\(name)", attached: parts.count > 1 ? String(parts[1]) : nil)
        } else {
            note(.unknownFlag("--\(name)"))
        }
    }

    /// Flags of one letter may stand together; the last may have its value attached.
    private mutating func takeShort(_ word: String) {
        var rest = word.dropFirst()
        while let letter = rest.popFirst() {
            if let option = command.option(short: letter) {
                let value = rest.first == "=" ? rest.dropFirst() : rest
                take(option, "-\(letter)", attached: option.value == nil || rest.isEmpty ? nil : String(value))
                if option.value != nil { return }
            } else if letter == "h" {
                wantsHelp = true
            } else {
                return note(.unknownShorthand(letter, in: word))
            }
        }
    }

    private mutating func take(_ option: CommandOption, _ flag: String, attached value: String?) {
        if option.value == nil {
            given[option.name, default: []].append(value ?? "true")
        } else if let value {
            given[option.name, default: []].append(value)
        } else {
            pending = option
            pendingFlag = flag
        }
    }

    private mutating func note(_ problem: Problem) { self.problem = self.problem ?? problem }
}
