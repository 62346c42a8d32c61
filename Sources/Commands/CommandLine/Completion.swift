/// Something that can stand where a word is being typed.
package struct Candidate: Sendable, Hashable {
    package let text: String
    package let description: String

    package init(_ text: String, _ description: String = "") {
        self.text = text
        self.description = description
    }
}

/// Shell completion in cobra's protocol, which the scripts of `docker completion` speak with docker and its plugins.
package struct Completion: Sendable {
    /// What the shell is to do besides; the numbers are the protocol's.
    package struct Directive: OptionSet, Sendable, Hashable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        static let noSpace = Directive(rawValue: 2)
        static let noFiles = Directive(rawValue: 4)
        static let fileExtensions = Directive(rawValue: 8)
        static let foldersOnly = Directive(rawValue: 16)

        fileprivate var names: String {
            let all: [(Directive, String)] = [
                (.noSpace, "NoSpace"), (.noFiles, "NoFileComp"), (.fileExtensions, "FilterFileExt"),
                (.foldersOnly, "FilterDirs"),
            ]
            let names = all.filter { contains($0.0) }.map { "ShellCompDirective\($0.1)" }
            return names.isEmpty ? "ShellCompDirectiveDefault" : names.joined(separator: ", ")
        }
    }

    package private(set) var candidates: [Candidate]
    package private(set) var directive: Directive

    /// The lines for stdout; the last one is the directive.
    package func lines(withDescriptions: Bool) -> [String] {
        candidates.map { candidate in
            // A description is one line, and a tab would start another field.
            let words = candidate.description.prefix { !$0.isNewline }.map { $0 == "\t" ? " " : $0 }
            return withDescriptions && !words.isEmpty ? "\(candidate.text)\t\(String(words))" : candidate.text
        } + [":\(directive.rawValue)"]
    }

    /// The line for stderr.
    package var remark: String { "Completion ended with directive: \(directive.names)" }

    /// - Parameters:
    ///   - words: what is typed so far; the last one, perhaps empty, is being typed.
    ///   - values: the values for a name such as `models` or `servers` that only the machine knows.
    init(_ root: CommandTree, _ words: [String], values: @Sendable (String) async -> [Candidate]) async {
        let scan = CommandScan(root, words.dropLast())
        let typed = words.last ?? ""
        candidates = []
        directive = .noFiles
        if let option = scan.pending, let value = option.value {
            await complete(value, option.longs, typed, values)
        } else if !scan.isTerminated, let (option, start) = Self.attached(typed, scan.command) {
            guard let value = option.value else { return }
            await complete(value, option.longs, start, values)
        } else if !scan.isTerminated, typed.hasPrefix("-") {
            candidates = Self.flags(scan).filter { $0.text.hasPrefix(typed) }
        } else if scan.command.isGroup {
            guard scan.positionals.isEmpty else { return }
            candidates = scan.command.subcommands.filter { $0.isShown && $0.name.hasPrefix(typed) }
                .map { Candidate($0.name, $0.abstract) }
        } else if let positional = Self.next(scan) {
            await complete(positional.value, [], typed, values, taken: positional.isRepeating ? scan.positionals : [])
            if typed.isEmpty {
                candidates += scan.command.options.filter { $0.isRequired && scan.given[$0.name] == nil }
                    .map { Candidate("--\($0.name)", $0.help) }
            }
        }
    }

    private mutating func complete(
        _ value: CommandValue, _ options: [String], _ typed: String, _ values: (String) async -> [Candidate],
        taken: [String] = []
    ) async {
        if let extensions = value.fileExtensions {
            candidates = extensions.map { Candidate($0) }
            directive = extensions.isEmpty ? [] : .fileExtensions
            return
        }
        if value.isFolder {
            directive = .foldersOnly
            return
        }
        let known = value.choices.map { Candidate($0) }
        guard known.isEmpty else { return candidates = known.filter { $0.text.hasPrefix(typed) } }
        for name in [value.name] + options {
            let found = await values(name)
            guard !found.isEmpty else { continue }
            offer(found.filter { !taken.contains($0.text) }, typed, isList: !options.isEmpty)
            return
        }
    }

    /// In a list with commas only its last part is being typed.
    private mutating func offer(_ found: [Candidate], _ typed: String, isList: Bool) {
        var chosen: [Substring] = isList ? typed.split(separator: ",", omittingEmptySubsequences: false) : [typed[...]]
        let last = chosen.popLast() ?? ""
        let before = chosen.map { "\($0)," }.joined()
        let left = found.filter { !chosen.contains($0.text[...]) }
        candidates = left.filter { $0.text.hasPrefix(last) }.map { Candidate(before + $0.text, $0.description) }
        if isList && left.count > 1 { directive.insert(.noSpace) }
    }

    private static func attached(_ typed: String, _ command: CommandTree) -> (CommandOption, String)? {
        guard typed.hasPrefix("--"), let equals = typed.firstIndex(of: "=") else { return nil }
        let name = String(typed[..<equals].dropFirst(2))
        return command.option(long: name).map { ($0, String(typed[typed.index(after: equals)...])) }
    }

    private static func flags(_ scan: CommandScan) -> [Candidate] {
        scan.command.options.filter { $0.isShown && ($0.isRepeating || scan.given[$0.name] == nil) }
            .sorted { $0.name < $1.name }
            .flatMap { option in
                (option.longs.map { "--\($0)" } + (option.short.map { ["-\($0)"] } ?? [])).map {
                    Candidate($0, option.help)
                }
            }
    }

    private static func next(_ scan: CommandScan) -> CommandPositional? {
        let takes = scan.command.positionals
        if scan.positionals.count < takes.count { return takes[scan.positionals.count] }
        return takes.last.flatMap { $0.isRepeating ? $0 : nil }
    }
}
