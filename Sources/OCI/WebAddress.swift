/// An `http` or `https` address, as far as following a registry's answers needs one.
package struct WebAddress: Hashable, Sendable, CustomStringConvertible {
    /// Whether it is `https`.
    package let isSecure: Bool
    /// `host[:port]`, lower case, without the port that goes without saying.
    package let authority: String
    /// Path and query, starting with `/`.
    package let target: String

    /// Parts that are known to be good.
    package init(isSecure: Bool, authority: String, target: String) {
        self.isSecure = isSecure
        let usual = isSecure ? ":443" : ":80"
        let lower = authority.lowercased()
        self.authority = lower.hasSuffix(usual) ? String(lower.dropLast(usual.count)) : lower
        self.target = target
    }

    /// nil for other schemes, user names in the address, and characters that no address has.
    package init?(_ text: String) {
        guard text.utf8.count <= 8192, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let isSecure: Bool
        let rest: Substring
        if text.lowercased().hasPrefix("https://") {
            (isSecure, rest) = (true, text.dropFirst(8))
        } else if text.lowercased().hasPrefix("http://") {
            (isSecure, rest) = (false, text.dropFirst(7))
        } else {
            return nil
        }
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        guard ReferenceGrammar.isRegistry(String(rest[..<end])) else { return nil }
        var target = rest[end...].prefix { $0 != "#" }
        if target.first != "/" { target = "/" + target }
        self.init(isSecure: isSecure, authority: String(rest[..<end]), target: String(target))
    }

    /// A `Location` seen from here: a whole address or a path on the same host.
    package func resolving(_ location: String) -> WebAddress? {
        guard location.hasPrefix("/"), !location.hasPrefix("//") else { return WebAddress(location) }
        return WebAddress((isSecure ? "https://" : "http://") + authority + location)
    }

    /// The address of a path below this one's.
    func under(_ path: String) -> WebAddress {
        let prefix = target.hasSuffix("/") ? String(target.dropLast()) : target
        return WebAddress(isSecure: isSecure, authority: authority, target: prefix + path)
    }

    /// Whether scheme, host and port are the same: what a credential may be sent to.
    package func isSameOrigin(as other: WebAddress) -> Bool {
        isSecure == other.isSecure && authority == other.authority
    }

    /// The authority without its port.
    package var host: String {
        guard let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") else { return authority }
        return String(authority[..<colon])
    }

    /// The host without the brackets of an IPv6 address.
    package var bareHost: String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host }

    package var port: Int {
        guard let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") else { return isSecure ? 443 : 80 }
        return Int(authority[authority.index(after: colon)...]) ?? 0
    }

    /// The same address with one more query parameter, whose value needs no escaping but for what is escaped here.
    package func adding(_ name: String, _ value: String) -> WebAddress {
        let separator = target.contains("?") ? "&" : "?"
        return WebAddress(
            isSecure: isSecure, authority: authority, target: target + separator + name + "=" + Self.escape(value))
    }

    /// Percent-encoded but for what may stand in the value of a query, and of a form.
    static func escape(_ value: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = value.utf8.flatMap { byte -> [UInt8] in
            let plain = (48...57).contains(byte) || (97...122).contains(byte | 32) || "-._~:/,".utf8.contains(byte)
            return plain ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package var description: String { (isSecure ? "https://" : "http://") + authority + target }
}
