internal import Core
internal import MCPHTTP
internal import SystemPackage
internal import Toolkit

/// The tokens of several users of one gateway.
///
/// ```yaml
/// alice: {secret: a-long-random-text}
/// ci: {sha256: 9f86d081…, servers: [git, time], rate: 10/s}
/// ```
enum TokensFile {
    /// - Parameters:
    ///   - servers: those the gateway runs.
    ///   - onRemark: told of what is odd, but no reason to stop.
    /// - Throws: `.invalidArgument` saying whose token is wrong; never what it is.
    static func load(_ path: FilePath, servers: Set<String>, onRemark: (String) -> Void) throws -> [Token] {
        let entries = try ConfigurationFiles.values(path).members
        guard !entries.isEmpty else {
            throw Failure(.invalidArgument, "the file \(path) has no tokens", advice: "Write NAME: {secret: TOKEN}.")
        }
        var tokens: [Token] = []
        var hasSecrets = false
        for entry in entries {
            do { tokens.append(try token(entry.name, entry.value, servers: servers, onRemark: onRemark)) } catch let
                failure
                as Failure
            {
                throw failure.during("the file \(path), \(JSON.quoted(entry.name))")
            }
            hasSecrets = hasSecrets || entry.value["secret"] != nil
        }
        if hasSecrets, try POSIX.status(path).mode & 0o077 != 0 {
            onRemark("Warning: others than you may read the secrets in \(path); chmod 600 mends that")
        }
        return tokens
    }

    private static func token(
        _ owner: String, _ value: JSON, servers: Set<String>, onRemark: (String) -> Void
    ) throws -> Token {
        guard let members = value.object?.members else { throw bad("it is no mapping") }
        var digests: [TokenDigest] = []
        var allowed: Set<String>?
        var rate: Rate?
        for (key, value) in members.map({ ($0.name, $0.value) }) {
            switch key {
            case "secret":
                // A number would lose its own text.
                guard let secret = value.string else { throw bad("the secret is no text", "Put it into quotes.") }
                digests.append(try BearerToken(secret).digest)
            case "sha256":
                guard let digest = value.string.flatMap(TokenDigest.init(hex:)) else {
                    throw bad("sha256 is not 64 hexadecimal digits", "printf %s TOKEN | sha256sum prints them.")
                }
                digests.append(digest)
            case "servers":
                guard let names = value.array?.map(\.string), !names.contains(nil) else {
                    throw bad("servers is no list of names")
                }
                allowed = Set(names.compactMap { $0 })
                for name in names.compactMap({ $0 }) where !servers.contains(name) {
                    onRemark("  - The token of \(owner) allows the server \(name), which does not run here")
                }
            case "rate":
                guard let text = value.string, let parsed = Rate(text) else {
                    throw bad("rate is no number of messages in a time", "Write it like 10/s, 600/m or 1000/h.")
                }
                rate = parsed
            // A word that is misspelt must not let more through than was meant.
            default: throw bad("\(JSON.quoted(key)) is not known", "Known are secret, sha256, servers and rate.")
            }
        }
        guard let digest = digests.first, digests.count == 1 else { throw bad("it needs either secret or sha256") }
        return Token(digest: digest, principal: Principal(name: owner, servers: allowed, rate: rate))
    }

    private static func bad(_ message: String, _ advice: String? = nil) -> Failure {
        Failure(.invalidArgument, message, advice: advice)
    }
}
