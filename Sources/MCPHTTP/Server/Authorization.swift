package import Core
internal import Crypto
internal import NIOCore
internal import SystemPackage

/// Who may use the gateway.
package enum Authorization: Sendable {
    /// Whoever knows one of the tokens.
    case tokens([Token])
    /// The same, of a file that may change.
    case current(Current<[Token]>)
    /// Everybody who reaches the port.
    case open

    /// Whoever knows the one token there is.
    package static func bearer(_ token: BearerToken) -> Authorization {
        .tokens([Token(digest: token.digest, principal: Principal(name: "token"))])
    }

    /// nil where nobody is asked for one.
    var tokens: [Token]? {
        switch self {
        case .tokens(let tokens): tokens
        case .current(let tokens): tokens.value
        case .open: nil
        }
    }

    /// Whose token an `Authorization` header carries. The time taken says nothing about any of them.
    package func principal(header: String?) -> Principal? {
        guard let tokens else { return .anybody }
        let parts = (header ?? "").split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let given = TokenDigest(of: String(parts[1].drop { $0 == " " }))
        var found: Principal?
        for token in tokens where token.digest == given { found = found ?? token.principal }
        return found
    }
}

/// A token by its hash, and whose it is.
package struct Token: Sendable {
    let digest: TokenDigest
    let principal: Principal

    package init(digest: TokenDigest, principal: Principal) {
        self.digest = digest
        self.principal = principal
    }
}

/// The SHA-256 of a token: enough to know it again, useless to whoever reads it.
package struct TokenDigest: Sendable, Equatable {
    private let bytes: [UInt8]

    package init(of secret: String) { bytes = Array(SHA256.hash(data: Array(secret.utf8))) }

    /// - Parameter hex: 64 hexadecimal digits, as `sha256sum` prints them.
    package init?(hex: String) {
        let digits = hex.compactMap { $0.isASCII ? $0.hexDigitValue.map(UInt8.init) : nil }
        guard hex.count == 64, digits.count == 64 else { return nil }
        bytes = stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// The time taken says nothing about where they differ.
    package static func == (a: TokenDigest, b: TokenDigest) -> Bool {
        zip(a.bytes, b.bytes).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// A secret that is compared but never shown by accident: printing or logging one gives a placeholder.
package struct BearerToken: Sendable, CustomStringConvertible, CustomReflectable {
    /// The token itself, for the one place that tells it to a person.
    package let secret: String

    /// - Throws: `.invalidArgument` for anything that cannot stand in a header; the text does not repeat it.
    package init(_ secret: String) throws {
        guard !secret.isEmpty, secret.utf8.count <= 4096, secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Failure(
                .invalidArgument, "the gateway's token is not usable",
                advice: "Use letters, digits and punctuation only, without white space.")
        }
        self.secret = secret
    }

    /// 50 random characters of `a-z0-9`.
    package static func random() -> BearerToken { BearerToken(trusted: RandomText.make(50)) }

    private init(trusted secret: String) { self.secret = secret }

    package var digest: TokenDigest { TokenDigest(of: secret) }
    package var description: String { "(a token)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension BearerToken {
    /// Where a token came from.
    package enum Source: Sendable, Hashable {
        /// `MCP_GATEWAY_AUTH_TOKEN`
        case variable
        /// `MCP_GATEWAY_AUTH_TOKEN_FILE`
        case file
        case generated
    }

    package static let variable = "MCP_GATEWAY_AUTH_TOKEN"
    package static let fileVariable = "MCP_GATEWAY_AUTH_TOKEN_FILE"

    /// The token of the environment, of the file that the environment names, else a new one.
    ///
    /// - Throws: when what the environment says cannot be used; falling back would let a wrong token in silently.
    package static func fromEnvironment(_ paths: Paths) throws -> (token: BearerToken, source: Source) {
        if let secret = paths.setting(variable) {
            do { return (try BearerToken(secret), .variable) } catch let failure as Failure {
                throw failure.during(variable)
            }
        }
        guard let path = paths.setting(fileVariable) else { return (.random(), .generated) }
        do {
            let text = String(buffer: try Files.read(FilePath(path), limit: 64 << 10))
            let line = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
            return (try BearerToken(String(line)), .file)
        } catch let failure as Failure { throw failure.during(fileVariable) }
    }
}

/// Unguessable text: from the operating system's generator for cryptography.
enum RandomText {
    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")

    static func make(_ length: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return String(
            (0..<length).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] })
    }
}
