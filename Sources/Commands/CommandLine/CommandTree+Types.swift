internal import ArgumentParser
internal import Core

extension CommandTree {
    /// The tree of a program.
    ///
    /// ArgumentParser tells about its commands in JSON; their usage lines and value types come from the types.
    ///
    /// - Throws: `.corrupted` when that JSON is not of the shape known.
    init(_ root: any ParsableCommand.Type) throws {
        let dump = try JSON(parsing: root._dumpHelp())
        guard dump["serializationVersion"]?.int == 0, let command = dump["command"] else {
            throw Failure(.corrupted, "the commands cannot be told: ArgumentParser's description has an unknown shape")
        }
        self.init(command, root, below: [], known: [])
    }

    /// - Parameter known: options that a command further up shows already.
    private init(_ json: JSON, _ type: any ParsableCommand.Type, below parents: [String], known: Set<String>) {
        let configuration = type.configuration
        path = parents + [json["commandName"]?.string ?? ""]
        aliases = configuration.aliases
        abstract = configuration.abstract
        discussion = configuration.discussion
        ownUsage = configuration.usage
        isShown = configuration.shouldDisplay
        let types = ValueTypes(of: type)
        for argument in json["arguments"]?.array ?? [] {
            if argument["kind"]?.string == "positional" {
                positionals.append(CommandPositional(argument))
            } else {
                var option = CommandOption(argument, types)
                if option.longs.contains("help") { continue }
                if option.longs == ["version"], known.contains("version") { option.isShown = false }
                options.append(option)
            }
        }
        // A flag's `--no-` form goes without saying.
        for index in options.indices where options[index].longs.contains(where: { $0.hasPrefix("no-") }) {
            let positive = options[index].longs[0].dropFirst(3)
            if option(long: String(positive)) != nil { options[index].isShown = false }
        }
        let known = known.union(options.map(\.name))
        // Both lists are in the order of the types; ArgumentParser's has `help` after them.
        subcommands = zip(json["subcommands"]?.array ?? [], configuration.subcommands).map {
            CommandTree($0, $1, below: path, known: known)
        }
    }
}

extension CommandOption {
    fileprivate init(_ json: JSON, _ types: ValueTypes) {
        for name in json["names"]?.array ?? [] {
            guard let text = name["name"]?.string else { continue }
            if name["kind"]?.string == "short" { short = short ?? text.first } else { longs.append(text) }
        }
        isRepeating = json["isRepeating"]?.bool ?? false
        isShown = json["shouldDisplay"]?.bool ?? true
        isRequired = !(json["isOptional"]?.bool ?? true)
        help = json["abstract"]?.string ?? ""
        guard json["kind"]?.string == "option" else {
            // Of a flag with a `--no-` form this tells which of the two it is.
            if let flag = json["defaultValue"]?.string, let first = longs.first {
                defaultValue = flag == "--\(first)" ? "true" : nil
            }
            return
        }
        var value = CommandValue(json)
        // ArgumentParser repeats the option's name where the command names no value.
        if longs.contains(value.name) { value.name = isRepeating ? "list" : types[value.name] }
        self.value = value
        defaultValue = json["defaultValue"]?.string
    }
}

extension CommandPositional {
    fileprivate init(_ json: JSON) {
        value = CommandValue(json)
        name = value.name
        isOptional = json["isOptional"]?.bool ?? false
        isRepeating = json["isRepeating"]?.bool ?? false
        takesTheRest = json["parsingStrategy"]?.string == "allRemainingInput"
    }
}

extension CommandValue {
    fileprivate init(_ json: JSON) {
        name = json["valueName"]?.string ?? "value"
        let kind = json["completionKind"]
        choices = (kind?["list"]?["values"]?.array ?? json["allValues"]?.array ?? []).compactMap(\.string)
        if let file = kind?["file"] {
            fileExtensions = (file["extensions"]?.array ?? []).compactMap(\.string)
        } else if ["file", "path"].contains(name) {
            fileExtensions = []
        }
        isFolder = kind?["directory"] != nil || ["folder", "directory"].contains(name)
    }
}

/// Docker's words for the types of a command's values, by the options' names.
private struct ValueTypes {
    private var words: [String: String] = [:]

    init(of command: any ParsableArguments.Type) {
        for child in Mirror(reflecting: command.init()).children {
            if let group = child.value as? any GroupOfArguments {
                words.merge(ValueTypes(of: group.argumentsType).words) { first, _ in first }
            } else if let label = child.label, label.hasPrefix("_") {
                let type = String(describing: type(of: child.value))
                words[Self.dashed(label.dropFirst())] =
                    type.contains("Double") || type.contains("Float")
                    ? "float" : type.contains("Int") ? "int" : "string"
            }
        }
    }

    subscript(name: String) -> String { words[name] ?? "string" }

    /// `contextSize` as the option `context-size`.
    private static func dashed(_ label: Substring) -> String {
        label.reduce(into: "") { $0 += $1.isUppercase ? "-\($1.lowercased())" : String($1) }
    }
}

/// An option group of any type, so that its own options can be asked for.
private protocol GroupOfArguments {
    var argumentsType: any ParsableArguments.Type { get }
}

extension OptionGroup: GroupOfArguments {
    fileprivate var argumentsType: any ParsableArguments.Type { Value.self }
}
