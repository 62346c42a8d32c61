/// What a registry is shown to know its user. Nothing prints the secret.
enum Credential: Hashable, Sendable {
    case password(user: String, secret: String)
    /// Exchanged for access tokens at the place that hands them out.
    case identityToken(String)
    /// An access token as it is.
    case registryToken(String)

    /// What was stored beside a user's name; `<token>` stands for an identity token there.
    ///
    /// nil where nothing was stored.
    init?(user: String, secret: String) {
        guard !secret.isEmpty, !user.isEmpty else { return nil }
        self = user == "<token>" ? .identityToken(secret) : .password(user: user, secret: secret)
    }
}

extension Credential: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String {
        switch self {
        case .password: "user name and password"
        case .identityToken: "identity token"
        case .registryToken: "registry token"
        }
    }

    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
