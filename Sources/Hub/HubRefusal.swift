internal import Core

/// What the hub's refusals mean, and what to do about them.
struct HubRefusal: Sendable {
    let status: Int
    /// `X-Error-Code`, where the hub says more than the status does.
    let code: String
    let said: String?
    let retryAfter: String?
    let hasToken: Bool

    /// - Parameter host: where it was asked, for the message.
    func failure(of name: HubReference?, at host: String) -> Failure {
        let what = name.map { "\($0)" } ?? host
        let text = said.map { ": \($0.prefix(200).filter { !$0.isNewline })" } ?? ""
        switch (status, code) {
        case (_, "GatedRepo"):
            return Failure(
                hasToken ? .forbidden : .unauthorized, "\(what) is gated\(text)",
                advice: "Accept its terms at https://\(host)/\(name?.repository ?? ""), and set HF_TOKEN to a token of "
                    + "the account that has")
        case (401, _) where hasToken:
            return Failure(
                .unauthorized, "\(host) answered Unauthorized for \(what)\(text)",
                advice: "Check the name, and whether the token in HF_TOKEN is still good")
        case (401, _):
            // So the hub answers for names that do not exist, too: it does not tell strangers what is private.
            return Failure(
                .unauthorized, "\(what) is not at \(host), or is private (Unauthorized)",
                advice: "Check the name; for a private repository set HF_TOKEN")
        case (403, _):
            return Failure(
                .forbidden, "\(host) denied access to \(what)\(text)",
                advice: hasToken
                    ? "The token in HF_TOKEN needs the right to read it" : "Set HF_TOKEN to a token that may read it")
        case (404, "RevisionNotFound"):
            return Failure(.notFound, "\(what): there is no such revision at \(host)")
        case (404, "EntryNotFound"): return Failure(.notFound, "\(what): a file is missing at \(host)\(text)")
        case (404, _): return Failure(.notFound, "\(what) not found at \(host)")
        case (429, _):
            let wait = retryAfter.flatMap { Int($0) }.map { "Try again in \($0) s" } ?? "Try again later"
            return Failure(
                .resourceExhausted, "\(host) refuses more requests for now",
                advice: hasToken ? wait : "\(wait); with HF_TOKEN set it allows more")
        case (500..., _): return Failure(.unavailable, "\(host) has a problem of its own (\(status))\(text)")
        default: return Failure(.internalError, "\(host) answered \(status) for \(what)\(text)")
        }
    }
}
