internal import Core
internal import SystemPackage

/// What `MODEL_RUNNER_HOST` says: `http://host:port`, `https://…`, `host:port` or `unix:///path/to.sock`.
enum RunnerHost {
    /// The start of every URL for an address as a person writes it, without a slash at its end.
    ///
    /// - Throws: `.invalidArgument` for anything else.
    static func base(_ text: String) throws -> String {
        let mark = text.firstRange(of: "://")
        let scheme = mark.map { text[..<$0.lowerBound].lowercased() } ?? "http"
        var rest = mark.map { text[$0.upperBound...] } ?? text[...]
        if scheme == "unix" {
            guard rest.hasPrefix("/"), rest.utf8.count > 1, rest.utf8.count <= Paths.maximumSocketPath else {
                throw wrong(text, "which names no socket")
            }
            return "http+unix://\(RunnerEndpoint.percentEncoded(String(rest)))"
        }
        guard scheme == "http" || scheme == "https" else { throw wrong(text, "which is no kind of address known here") }
        while rest.hasSuffix("/") { rest.removeLast() }
        let authority = rest.prefix { $0 != "/" }
        guard Authority.host(of: String(authority)) != nil, rest.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !rest.contains(where: { "@?#\\\"<>".contains($0) })
        else { throw wrong(text, "which is no address of a model runner") }
        return "\(scheme)://\(rest)"
    }

    private static func wrong(_ text: String, _ why: String) -> Failure {
        // What stands before an @ may be a password.
        let shown = text.contains("@") ? "has a user's name in it" : "is \"\(text.prefix(100))\""
        return Failure(
            .invalidArgument, "MODEL_RUNNER_HOST \(shown), \(why)",
            advice: "Write http://host:port or unix:///path/to.sock, or unset it for a runner of your own.")
    }
}
