internal import Terminal

/// A command's help, laid out like docker's own.
struct HelpText: Sendable {
    let command: CommandTree
    /// Columns that may be filled.
    var width = 80

    var text: String {
        var sections = ["Usage:  \(command.usage)"]
        if !command.abstract.isEmpty { sections.append(command.abstract) }
        if !command.discussion.isEmpty { sections.append(paragraphs(command.discussion)) }
        if !command.aliases.isEmpty { sections.append(aliases) }
        let options = command.options.filter(\.isShown)
        if !options.isEmpty { sections.append("Options:\n" + lines(of: options)) }
        let commands = command.subcommands.filter(\.isShown).sorted { $0.name < $1.name }
        let column = (commands.map(\.name.count).max() ?? 0) + 1
        for (title, part) in [
            ("Management Commands", commands.filter(\.isGroup)), ("Commands", commands.filter { !$0.isGroup }),
        ] where !part.isEmpty {
            let lines = part.map { "  \($0.name.padded(to: max(column, 12)))\($0.abstract)" }
            sections.append("\(title):\n" + lines.joined(separator: "\n"))
        }
        if command.isGroup {
            sections.append("Run '\(command.title) COMMAND --help' for more information on a command.")
        }
        return sections.joined(separator: "\n\n")
    }

    private var aliases: String {
        let group = command.path.dropLast().joined(separator: " ")
        let names = [command.name] + command.aliases
        return "Aliases:\n  " + names.map { "\(group) \($0)" }.joined(separator: ", ")
    }

    private func lines(of options: [CommandOption]) -> String {
        let rows = options.map { (names: Self.names($0), help: Self.help($0)) }.sorted {
            Self.order($0.names) < Self.order($1.names)
        }
        let column = (rows.map(\.names.count).max() ?? 0) + 3
        return rows.map { row in
            let help = wrapped(row.help, to: max(24, width - 1 - column))
            let indent = String(repeating: " ", count: column)
            return row.names.padded(to: column) + help.joined(separator: "\n\(indent)")
        }.joined(separator: "\n")
    }

    /// By the long name, as docker sorts them.
    private static func order(_ names: String) -> String {
        String((names.firstRange(of: "--").map { names[$0.upperBound...] } ?? names[...]))
    }

    /// `  -d, --detach` or `      --system string`.
    private static func names(_ option: CommandOption) -> String {
        let long = option.longs.map { "--\($0)" }.joined(separator: ", ")
        let short = option.short.map { "-\($0)" }
        let names = [short, long.isEmpty ? nil : long].compactMap { $0 }.joined(separator: ", ")
        return (short == nil ? "      " : "  ") + names + (option.value.map { " \($0.name)" } ?? "")
    }

    private static func help(_ option: CommandOption) -> String {
        guard let value = option.defaultValue, !value.isEmpty, !option.help.contains("(default") else {
            return option.help
        }
        let isBare = option.value == nil || Double(value) != nil
        return option.help + (isBare ? " (default \(value))" : " (default \"\(value)\")")
    }

    private func paragraphs(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map {
            // Indented lines are examples, to be left as they are.
            $0.first == " " ? String($0) : wrapped(String($0), to: width).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private func wrapped(_ text: String, to width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let line = lines.last, line.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(line) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.isEmpty ? [""] : lines
    }
}
