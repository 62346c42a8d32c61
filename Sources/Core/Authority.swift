/// What a `Host` or `Origin` header names: read strictly, for those checks stand before everything else.
package enum Authority {
    /// The host of `host[:port]` or `[address][:port]`, lower case; nil when it is neither.
    package static func host(of authority: String) -> String? {
        let text = authority.lowercased()
        let host: Substring
        var rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
        }
        if rest.first == ":" {
            rest = rest.dropFirst()
            guard let port = UInt16(rest), port > 0 else { return nil }
        } else if !rest.isEmpty {
            return nil
        }
        return host.isEmpty ? nil : String(host)
    }
}
