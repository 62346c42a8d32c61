/// The parts of docker's reference grammar, each a check over bytes without backtracking.
enum ReferenceGrammar {
    static let maximumText = 1024
    static let maximumRepository = 255
    static let maximumTag = 128

    /// A letter, digit or underscore, then up to 127 of those, dots and dashes.
    static func isTag(_ text: some Collection<UInt8>) -> Bool {
        guard let first = text.first, isWord(first), text.count <= maximumTag else { return false }
        return text.allSatisfy { isWord($0) || $0 == dot || $0 == dash }
    }

    /// Path components of lower-case letters and digits, joined inside by `.`, `_`, `__` or dashes.
    static func isRepository(_ text: String) -> Bool {
        text.utf8.count <= maximumRepository
            && text.utf8.split(separator: slash, omittingEmptySubsequences: false).allSatisfy { isComponent($0) }
    }

    private static func isComponent(_ text: some Collection<UInt8>) -> Bool {
        var separator: [UInt8] = []
        var started = false
        for byte in text {
            if isLower(byte) || isDigit(byte) {
                guard separator.isEmpty || started && isSeparator(separator) else { return false }
                started = true
                separator = []
            } else {
                separator.append(byte)
            }
        }
        return started && separator.isEmpty
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        bytes == [dot] || bytes == [underscore] || bytes == [underscore, underscore] || bytes.allSatisfy { $0 == dash }
    }

    /// A host name, an IPv4 address or an IPv6 address in brackets; a port may follow.
    static func isRegistry(_ text: String) -> Bool {
        guard text.utf8.count <= 255 + 6 else { return false }
        var host = Array(text.utf8)
        if let colon = host.lastIndex(of: colon), host.last != closingBracket {
            let digits = host[(colon + 1)...]
            guard (1...5).contains(digits.count), digits.allSatisfy(isDigit),
                UInt16(String(decoding: digits, as: UTF8.self)) ?? 0 > 0
            else { return false }
            host.removeSubrange(colon...)
        }
        if host.first == openingBracket, host.last == closingBracket {
            let inside = host.dropFirst().dropLast()
            return (2...45).contains(inside.count) && inside.contains(colon)
                && inside.allSatisfy { isHexadecimal($0) || $0 == colon || $0 == dot }
        }
        return host.split(separator: dot, omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.first, let last = label.last, first != dash, last != dash else { return false }
            return label.count <= 63 && label.allSatisfy { isLetter($0) || isDigit($0) || $0 == dash }
        }
    }

    private static let dot = UInt8(ascii: ".")
    private static let dash = UInt8(ascii: "-")
    private static let slash = UInt8(ascii: "/")
    private static let colon = UInt8(ascii: ":")
    private static let underscore = UInt8(ascii: "_")
    private static let openingBracket = UInt8(ascii: "[")
    private static let closingBracket = UInt8(ascii: "]")

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
    private static func isLower(_ byte: UInt8) -> Bool { (97...122).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { isLower(byte | 32) }
    private static func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || (97...102).contains(byte | 32) }
    private static func isWord(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) || byte == underscore }
}
