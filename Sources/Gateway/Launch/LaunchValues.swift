package import Core
package import Toolkit

/// A server's environment and command with the user's values and secrets in their places.
package struct LaunchValues: Sendable {
    package let environment: [(name: String, value: String)]
    package let command: [String]
    /// What the server wants mounted.
    let volumes: [String]
    /// Variables that hold secrets and that the command wants as arguments.
    let exposed: [String]
    /// The user's values of this server, by its canonical name.
    let own: JSON.Object
    /// What a person should know; names only, never values.
    package let warnings: [String]

    /// What a server gets for a secret that nobody has given.
    static let missing = "<UNKNOWN>"

    /// - Parameters:
    ///   - values: the user's values of all servers, by canonical name.
    ///   - secrets: by the secrets' own names. One that is missing is given as `<UNKNOWN>`, so that a server can at
    ///     least list its tools.
    package init(server: Server, values: JSON.Object, secrets: [String: String]) {
        // Only its own: other servers' values are no business of its entry.
        let name = ConfigurationFiles.canonicalName(server.name)
        let values = JSON.Object([(name, values[name] ?? .null)])
        var warnings: [String] = []
        var environment: [(name: String, value: String)] = []
        for secret in server.secrets {
            if secrets[secret.name] == nil {
                warnings.append(
                    "the server \(server.name) has no value for its secret \(secret.name); write the line "
                        + "\(secret.name)=VALUE into a file and name that with --secrets FILE")
            }
            if secrets[secret.name] != nil, !secret.name.hasPrefix(server.name + ".") {
                warnings.append("the server \(server.name) gets the secret \(secret.name)")
            }
            environment.append((secret.environmentName, secrets[secret.name] ?? Self.missing))
        }
        var secretNames = Set(server.secrets.map(\.environmentName))
        for variable in server.environment {
            let value = Self.filled(variable.value, values, environment).joined(separator: " ")
            if !value.isEmpty { environment.append((variable.name, value)) }
            if !secretNames.isDisjoint(with: Self.named(variable.value)) { secretNames.insert(variable.name) }
        }
        exposed = server.command.flatMap(Self.named).filter { secretNames.contains($0) }
        command = server.command.flatMap { Self.filled($0, values, environment) }
        // Not from the variables: what is mounted is said by the entry and the user's values alone.
        volumes = server.volumes.flatMap { Self.filled($0, values, []) }
        own = values
        self.environment = environment
        self.warnings = warnings
    }

    /// A text with a template is filled from the values, another one from the variables so far.
    static func filled(
        _ text: String, _ values: JSON.Object, _ environment: [(name: String, value: String)]
    ) -> [String] {
        let template = Template(text)
        guard template.isPlain else {
            let value = template.evaluated(in: .object(values))
            return value.array.map { $0.map(Template.text) } ?? [Template.text(value)]
        }
        return [expanded(text, environment)]
    }

    /// The variables that a text without templates asks for.
    private static func named(_ text: String) -> [String] {
        guard Template(text).isPlain else { return [] }
        return text.matches(of: variable).compactMap { ($0.1 ?? $0.2).map(String.init) }
    }

    private static var variable: Regex<(Substring, Substring?, Substring?)> {
        /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/
    }

    /// `$NAME` and `${NAME}`; one that is not set is empty.
    private static func expanded(_ text: String, _ environment: [(name: String, value: String)]) -> String {
        text.replacing(variable) { match in
            let name = match.1 ?? match.2 ?? ""
            return environment.last { $0.name == name }?.value ?? ""
        }
    }
}
