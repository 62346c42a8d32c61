/// A JSON number: exact as mantissa and power of ten where it fits, else the nearest `Double`.
struct Decimal: Sendable {
    let text: String
    let double: Double
    private let exact: (mantissa: Int, exponent: Int)?

    init(_ text: String) {
        self.text = text
        double = Double(text) ?? .nan
        exact = Self.parse(text)
    }

    /// A zero has no exponent, and no other mantissa ends in zeros, so that equal numbers look alike.
    private static func parse(_ text: String) -> (Int, Int)? {
        var mantissa = 0
        var exponent = 0
        var isFraction = false
        var rest = text.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard let power = Int(String(rest) ?? ""), power.magnitude < 10_000 else { return nil }
                exponent += power
                rest = rest[rest.endIndex...]
            default:
                let (product, isTooLarge) = mantissa.multipliedReportingOverflow(by: 10)
                let (sum, isTooLargeToo) = product.addingReportingOverflow(Int(byte) - 48)
                if isTooLarge || isTooLargeToo { return nil }
                mantissa = sum
                if isFraction { exponent -= 1 }
            }
        }
        if mantissa == 0 { return (0, 0) }
        while mantissa % 10 == 0 {
            mantissa /= 10
            exponent += 1
        }
        return (isNegative ? -mantissa : mantissa, exponent)
    }

    /// Both mantissas for one common exponent.
    private static func aligned(_ a: Decimal, _ b: Decimal) -> (Int, Int)? {
        guard let a = a.exact, let b = b.exact else { return nil }
        func scaled(_ value: Int, by power: Int) -> Int? {
            guard power <= 18 else { return value == 0 ? 0 : nil }
            var value = value
            for _ in 0..<power {
                let (next, isTooLarge) = value.multipliedReportingOverflow(by: 10)
                if isTooLarge { return nil }
                value = next
            }
            return value
        }
        let exponent = min(a.exponent, b.exponent)
        guard let first = scaled(a.mantissa, by: a.exponent - exponent),
            let second = scaled(b.mantissa, by: b.exponent - exponent)
        else { return nil }
        return (first, second)
    }

    var isInteger: Bool {
        if let exact { return exact.exponent >= 0 }
        return double.isFinite && double == double.rounded()
    }

    func isMultiple(of other: Decimal) -> Bool {
        if let (value, divisor) = Self.aligned(self, other), divisor != 0 { return value % divisor == 0 }
        let quotient = double / other.double
        return quotient.isFinite && quotient == quotient.rounded()
    }

    static func < (a: Decimal, b: Decimal) -> Bool {
        if let (first, second) = aligned(a, b) { return first < second }
        return a.double < b.double
    }

    static func == (a: Decimal, b: Decimal) -> Bool {
        if let first = a.exact, let second = b.exact { return first == second }
        return a.double == b.double
    }
}
