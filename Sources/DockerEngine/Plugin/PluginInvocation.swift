/// A command line under one of the plugins' names, taken apart: `docker-model --context x model ls`.
package struct PluginInvocation: Sendable, Hashable {
    /// The plugin's name, `model` or `mcp`.
    package let name: String
    package private(set) var globals = PluginGlobals()
    /// What is the plugin's own.
    package private(set) var arguments: [String] = []
    package private(set) var isMetadataRequest = false
    /// What a shell asks, with `arguments` the words typed so far; nil for a command to be run.
    package private(set) var completion: CompletionRequest?

    private static let names = ["docker-model": "model", "docker-mcp": "mcp"]
    /// - Parameter arguments: with the program's name first.
    /// - Returns: nil where the program's name is none of the plugins'.
    package init?(arguments all: [String]) {
        let program = all.first?.split(separator: "/").last.map(String.init) ?? ""
        guard let name = Self.names[program] else { return nil }
        self.name = name
        var rest = all.dropFirst()
        if rest.first == "docker-cli-plugin-metadata" {
            isMetadataRequest = true
            return
        }
        takeGlobals(&rest)
        completion = rest.first.flatMap { CompletionRequest(rawValue: $0) }
        if completion != nil {
            rest = rest.dropFirst()
            takeGlobals(&rest)
        }
        // `docker help model ls` arrives as `docker-model help model ls`.
        let isHelp = rest.first == "help" && rest.dropFirst().first == name
        if isHelp { rest = rest.dropFirst() }
        if rest.first == name { rest = rest.dropFirst() }
        self.arguments = (isHelp ? ["help"] : []) + Array(rest)
    }

    private mutating func takeGlobals(_ rest: inout ArraySlice<String>) {
        while let flag = rest.first, flag.hasPrefix("-") {
            if flag == "-D" || flag == "--debug" {
                globals.isDebug = true
            } else if flag.hasPrefix("-D"), flag.dropFirst(2).first != "=" {
                // Flags of one letter may stand together: `-Dc x`.
                globals.isDebug = true
                rest = ["-\(flag.dropFirst(2))"] + rest.dropFirst()
                continue
            } else if flag == "--tls" || flag == "--tlsverify" {
                globals.wantsTLS = true
            } else if let (name, value) = Self.attachedValue(flag), set(name, value) {
                // `--context=x` and `-cx`.
            } else if let value = rest.dropFirst().first, set(flag, value) {
                rest = rest.dropFirst()
            } else {
                return
            }
            rest = rest.dropFirst()
        }
    }

    /// - Returns: false for a flag that is none of docker's.
    private mutating func set(_ flag: String, _ value: String) -> Bool {
        switch flag {
        case "--context", "-c": globals.context = value
        case "--host", "-H": globals.host = value
        case "--config": globals.configDirectory = value
        case "--log-level", "-l": globals.logLevel = value
        case "--debug", "-D": globals.isDebug = Self.isTrue(value)
        case "--tls", "--tlsverify": globals.wantsTLS = Self.isTrue(value)
        case "--tlscacert", "--tlscert", "--tlskey": globals.wantsTLS = true
        default: return false
        }
        return true
    }

    private static func isTrue(_ value: String) -> Bool { ["true", "1", "t"].contains(value.lowercased()) }

    private static func attachedValue(_ flag: String) -> (name: String, value: String)? {
        if flag.hasPrefix("--") {
            guard let equals = flag.firstIndex(of: "=") else { return nil }
            return (String(flag[..<equals]), String(flag[flag.index(after: equals)...]))
        }
        guard flag.count > 2 else { return nil }
        let value = flag.dropFirst(2)
        return (String(flag.prefix(2)), String(value.first == "=" ? value.dropFirst() : value))
    }
}

/// The two ways in which docker, and its completion scripts, ask what may come next.
package enum CompletionRequest: String, Sendable, Hashable {
    case withDescriptions = "__complete"
    case withoutDescriptions = "__completeNoDesc"
}
