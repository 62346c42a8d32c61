internal import Core

/// Through which proxy an address is reached: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, upper case before lower.
struct ProxySettings: Hashable, Sendable {
    struct Proxy: Hashable, Sendable {
        var isSocks: Bool
        var host: String
        var port: Int
        var user: String?
        var password: String?
    }

    let plain: Proxy?
    let secure: Proxy?
    private let exceptions: [String]

    /// - Throws: `.invalidArgument` for a value that is no proxy's address.
    init(_ paths: Paths) throws {
        func setting(_ name: String) -> (name: String, value: String)? {
            for name in [name, name.lowercased()] { if let value = paths.setting(name) { return (name, value) } }
            return nil
        }
        plain = try setting("HTTP_PROXY").map { try Self.parse($0.value, named: $0.name) }
        secure = try setting("HTTPS_PROXY").map { try Self.parse($0.value, named: $0.name) }
        let list = setting("NO_PROXY")?.value ?? ""
        exceptions = list.split { $0 == "," || $0.isWhitespace }.map { $0.lowercased() }
    }

    /// nil where the address is reached directly. This machine is.
    func proxy(for address: WebAddress) -> Proxy? {
        guard let proxy = address.isSecure ? secure : plain else { return nil }
        let host = address.host
        let literal = IPAddress(host)
        if host == "localhost" || host.hasSuffix(".localhost") || literal?.reach == .machine { return nil }
        let isExcepted = exceptions.contains { Self.matches($0, host: host, port: address.port, literal: literal) }
        return isExcepted ? nil : proxy
    }

    /// `*`, an address, a network (`10.0.0.0/8`), a domain with all below it, or `.domain` for only those below;
    /// `:port` may follow a name or an IPv4 address.
    private static func matches(_ pattern: String, host: String, port: Int, literal: IPAddress?) -> Bool {
        if pattern == "*" { return true }
        if let slash = pattern.firstIndex(of: "/") {
            guard let literal, let network = IPAddress(pattern[..<slash]),
                let length = Int(pattern[pattern.index(after: slash)...])
            else { return false }
            return literal.isIn(network, length: length)
        }
        if let address = IPAddress(pattern) { return address == literal }
        var name = pattern[...]
        if let colon = name.lastIndex(of: ":") {
            guard Int(name[name.index(after: colon)...]) == port else { return false }
            name = name[..<colon]
            if let address = IPAddress(name) { return address == literal }
        }
        if name.hasPrefix("*.") { name = name.dropFirst() }
        if name.hasPrefix(".") { return host.hasSuffix(name) }
        return !name.isEmpty && (host == name || host.hasSuffix(".\(name)"))
    }

    /// `[http://|socks5://][user:password@]host[:port][/]`
    private static func parse(_ text: String, named name: String) throws -> Proxy {
        // The value is not repeated: it may hold a password.
        func refuse(_ why: String) -> Failure {
            Failure(
                .invalidArgument, "\(name) \(why)", advice: "Write it as http://HOST:PORT or socks5://HOST:PORT")
        }
        var rest = text[...]
        var scheme = "http"
        if let range = rest.firstRange(of: "://") {
            scheme = rest[..<range.lowerBound].lowercased()
            rest = rest[range.upperBound...]
        }
        guard ["http", "socks5", "socks5h"].contains(scheme) else {
            throw refuse("names a proxy of a kind that is not supported")
        }
        rest = rest.prefix { $0 != "/" }
        var (user, password): (String?, String?)
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = unescape(parts[0])
            password = parts.count > 1 ? unescape(parts[1]) : ""
            rest = rest[rest.index(after: at)...]
        }
        guard ReferenceGrammar.isRegistry(String(rest)) else { throw refuse("is no address of a proxy") }
        let isSocks = scheme != "http"
        guard !isSocks || user == nil else { throw refuse("has a password, which SOCKS proxies are not given here") }
        let address = WebAddress(isSecure: false, authority: String(rest), target: "/")
        return Proxy(
            isSocks: isSocks, host: address.bareHost, port: isSocks && address.port == 80 ? 1080 : address.port,
            user: user, password: password)
    }

    private static func unescape(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
