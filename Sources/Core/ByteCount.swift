/// A number of bytes, written for people.
package struct ByteCount: Sendable, Hashable, CustomStringConvertible {
    package let bytes: Int

    package init(_ bytes: some BinaryInteger) { self.bytes = Int(clamping: bytes) }

    /// `1.22MB`: powers of 1000, two decimals, as docker's progress lines and `ls` show sizes.
    package var description: String { decimal }

    package var decimal: String { text(base: 1000, units: ["B", "kB", "MB", "GB", "TB", "PB"], separator: "") }

    /// `1.16MiB`: powers of 1024, two decimals, as model configurations record sizes.
    package var binary: String { text(base: 1024, units: ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], separator: "") }

    private func text(base: Double, units: [String], separator: String) -> String {
        var value = Double(bytes)
        var unit = 0
        while abs(value) >= base, unit < units.count - 1 {
            value /= base
            unit += 1
        }
        return (unit == 0 ? String(bytes) : value.fixed(2)) + separator + units[unit]
    }
}

extension Double {
    /// The number with a fixed count of decimals, rounded half away from zero. Not for infinities or NaN.
    package func fixed(_ decimals: Int) -> String {
        let scale = (0..<decimals).reduce(1.0) { value, _ in value * 10 }
        // Beyond this the scaled number is no integer of 64 bits; the numbers of strangers may be any.
        guard isFinite, magnitude < 1e15, magnitude * scale < 9e18 else { return String(describing: self) }
        let scaled = Int64((magnitude * scale).rounded())
        let whole = scaled / Int64(scale)
        let sign = self < 0 && scaled != 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(whole)" }
        let fraction = String(scaled % Int64(scale))
        return "\(sign)\(whole)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
