/// Lengths of time as Go programs write them: `1h2m3.5s`.
package enum GoDuration {
    private static let units: [Substring: Double] = [
        "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9,
    ]

    /// Seconds of a text without a sign; nil for what is none, such as one without a unit.
    package static func seconds(_ text: Substring) -> Double? {
        var total = 0.0
        var rest = text
        if rest.isEmpty { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(digits), let factor = units[unit] else { return nil }
            total += value * factor
        }
        return total
    }
}
