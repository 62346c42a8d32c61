internal import ArgumentParser
internal import Core

/// A command and all below it, as ArgumentParser knows them: what help, usage errors and completion are made of.
struct CommandTree: Sendable {
    /// The words that lead here, the program's name first.
    var path: [String]
    var aliases: [String] = []
    var abstract = ""
    var discussion = ""
    /// The usage line where the command writes its own.
    var ownUsage: String?
    var isShown = true
    var subcommands: [CommandTree] = []
    /// Flags and options, without those for help.
    var options: [CommandOption] = []
    var positionals: [CommandPositional] = []

    var name: String { path.last ?? "" }
    var title: String { path.joined(separator: " ") }
    var isGroup: Bool { !subcommands.isEmpty }

    func subcommand(_ word: String) -> CommandTree? {
        subcommands.first { $0.name == word || $0.aliases.contains(word) }
    }

    func option(long name: String) -> CommandOption? { options.first { $0.longs.contains(name) } }
    func option(short name: Character) -> CommandOption? { options.first { $0.short == name } }

    /// How the command is written: its own usage line, or one made of what it takes.
    var usage: String {
        if let ownUsage {
            // Written for docker; under another name the command reads alike.
            let words = ownUsage.split(separator: " ")
            guard words.first == "docker" else { return ownUsage }
            return ([path[0]] + words.dropFirst().map(String.init)).joined(separator: " ")
        }
        let hasOptions = options.contains(where: \.isShown)
        let words = isGroup ? ["COMMAND"] : positionals.map(\.placeholder)
        return (path + (hasOptions ? ["[OPTIONS]"] : []) + words).joined(separator: " ")
    }
}

/// A flag, or an option with a value.
struct CommandOption: Sendable {
    var longs: [String] = []
    var short: Character?
    /// What the value is; nil for a flag.
    var value: CommandValue?
    var help = ""
    var defaultValue: String?
    var isShown = true
    var isRequired = false
    var isRepeating = false

    /// Under which it is known once it is given.
    var name: String { longs.first ?? short.map { String($0) } ?? "" }
}

struct CommandPositional: Sendable {
    var name: String
    var value: CommandValue
    var isOptional = false
    var isRepeating = false
    /// Whether everything after it belongs to it, flags included.
    var takesTheRest = false

    var placeholder: String {
        let word = name.uppercased()
        let words = isRepeating ? "\(word) [\(word)...]" : word
        return isOptional ? isRepeating ? "[\(word)...]" : "[\(word)]" : words
    }
}

/// What is known of a value.
struct CommandValue: Sendable, Hashable {
    /// `file`, `models`, …; docker's word for the type where the command gives no name.
    var name: String
    /// The values it can have, where they can be told.
    var choices: [String] = []
    /// Where files are meant: the extensions, empty for any file.
    var fileExtensions: [String]?
    var isFolder = false
}
