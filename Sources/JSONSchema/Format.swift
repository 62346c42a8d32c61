internal import Core

/// The formats of texts that are checked.
enum Format: String, Sendable, CaseIterable {
    case dateTime = "date-time"
    case date
    case time
    case duration
    case email
    case hostname
    case ipv4
    case ipv6
    case uri
    case uuid

    func accepts(_ text: String) -> Bool {
        switch self {
        case .dateTime:
            let parts = text.split(omittingEmptySubsequences: false) { $0 == "T" || $0 == "t" }
            return parts.count == 2 && Self.isDate(parts[0]) && Self.isTime(parts[1])
        case .date: return Self.isDate(text[...])
        case .time: return Self.isTime(text[...])
        case .duration: return Self.isDuration(text)
        case .email:
            let parts = text.split(separator: "@", omittingEmptySubsequences: false)
            return parts.count == 2 && !parts[0].isEmpty && Self.isPrintable(parts[0]) && Self.isHost(parts[1])
        case .hostname: return Self.isHost(text[...])
        case .ipv4: return Self.isIPv4(text)
        case .ipv6: return text.contains(":") && !text.contains("%") && IPAddress(text) != nil
        case .uri:
            guard let colon = text.firstIndex(of: ":"), let first = text.utf8.first, Self.isLetter(first) else {
                return false
            }
            let isScheme = text[..<colon].utf8.allSatisfy {
                Self.isLetter($0) || Self.isDigit($0) || "+-.".utf8.contains($0)
            }
            return isScheme && colon != text.indices.last && Self.isPrintable(text[...])
        case .uuid:
            let groups = text.split(separator: "-", omittingEmptySubsequences: false)
            return groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
                && groups.allSatisfy { $0.utf8.allSatisfy { Self.isDigit($0) || (97...102).contains($0 | 32) } }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 32) }
    private static func isPrintable(_ text: Substring) -> Bool { text.utf8.allSatisfy { $0 > 32 && $0 < 127 } }

    private static func number(_ text: Substring, digits: Int) -> Int? {
        text.utf8.count == digits && text.utf8.allSatisfy(isDigit) ? Int(text) : nil
    }

    private static func isDate(_ text: Substring) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let year = number(parts[0], digits: 4), let month = number(parts[1], digits: 2),
            let day = number(parts[2], digits: 2), (1...12).contains(month), day >= 1
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return day <= [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// With its offset, as RFC 3339 wants it.
    private static func isTime(_ text: Substring) -> Bool {
        guard let last = text.last,
            let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" || $0 == "Z" || $0 == "z" })
        else { return false }
        let offset = text[sign...].dropFirst()
        if last == "Z" || last == "z" {
            guard offset.isEmpty else { return false }
        } else {
            guard isClock(offset, parts: 2) else { return false }
        }
        let clock = text[..<sign].split(separator: ".", omittingEmptySubsequences: false)
        guard let first = clock.first, clock.count <= 2, isClock(first, parts: 3) else { return false }
        return clock.count == 1 || !clock[1].isEmpty && clock[1].utf8.allSatisfy(isDigit)
    }

    private static func isClock(_ text: Substring, parts count: Int) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let limits = [23, 59, 60]
        return parts.count == count
            && zip(parts, limits).allSatisfy { part, limit in number(part, digits: 2).map { $0 <= limit } ?? false }
    }

    /// `P1DT2H`, or weeks alone.
    private static func isDuration(_ text: String) -> Bool {
        guard text.hasPrefix("P"), text.count > 1 else { return false }
        let halves = text.dropFirst().split(separator: "T", omittingEmptySubsequences: false)
        guard halves.count <= 2, halves.count == 1 || !halves[1].isEmpty else { return false }
        if let weeks = halves.first, halves.count == 1, weeks.hasSuffix("W") {
            return weeks.count > 1 && weeks.dropLast().utf8.allSatisfy(isDigit)
        }
        for (half, units) in zip(halves, ["YMD", "HMS"]) {
            var units = units[...]
            var digits = 0
            for character in half {
                if let value = character.asciiValue, isDigit(value) {
                    digits += 1
                } else {
                    guard digits > 0, let place = units.firstIndex(of: character) else { return false }
                    units = units[units.index(after: place)...]
                    digits = 0
                }
            }
            guard digits == 0 else { return false }
        }
        return true
    }

    private static func isHost(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
            }
    }

    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && part.utf8.allSatisfy(isDigit) && (part == "0" || part.first != "0")
                    && (Int(part) ?? 256) < 256
            }
    }
}
