/// The names of quantisations, as they stand in the names of GGUF files.
package enum Quantization {
    /// Which one is taken when nobody says: the first of these that there is. Four bits first, because they are good
    /// enough and fit most machines; then the nearest larger ones, then smaller ones, then what is not quantised.
    package static let preference = [
        "Q4_K_M", "Q4_K_S", "Q4_K_L", "Q4_0", "Q4_1", "IQ4_XS", "IQ4_NL", "MXFP4", "Q5_K_M", "Q5_K_S", "Q5_0", "Q5_1",
        "Q6_K", "Q8_0", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "BF16", "F16", "F32",
    ]

    private static let others = [
        "Q4_K_XL", "Q5_K_L", "Q5_K_XL", "Q6_K_L", "Q6_K_XL", "Q8_K_XL", "Q3_K_XL", "Q2_K_S", "Q2_K_L", "Q2_K_XL",
        "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "TQ1_0",
        "TQ2_0",
        "FP16", "FP32", "FP8",
    ]

    /// The word as it is usually written; nil for one that names no quantisation.
    package static func canonical(_ word: String) -> String? {
        let upper = word.uppercased()
        return preference.contains(upper) || others.contains(upper) ? upper : nil
    }

    /// The quantisation that a file's name tells; nil where it tells none.
    package static func named(in path: String) -> String? {
        (preference + others).first { fit($0, in: path) == .whole }
    }

    package enum Fit: Int, Comparable, Sendable {
        /// Between dashes, dots, slashes or the ends of the name.
        case whole
        /// The beginning or the end of a longer word: `Q4_K` in `Q4_K_M`.
        case part

        package static func < (a: Fit, b: Fit) -> Bool { a.rawValue < b.rawValue }
    }

    /// How a word stands in a path, capitals ignored; nil where it does not.
    package static func fit(_ word: String, in path: String) -> Fit? {
        let text = Array(path.lowercased().utf8)
        let wanted = Array(word.lowercased().utf8)
        guard !wanted.isEmpty, wanted.count <= text.count else { return nil }
        var best: Fit?
        for start in 0...(text.count - wanted.count) where text[start..<(start + wanted.count)].elementsEqual(wanted) {
            let before = start == 0 ? nil : text[start - 1]
            let after = start + wanted.count == text.count ? nil : text[start + wanted.count]
            let found: Fit
            if isBorder(before), isBorder(after) {
                found = .whole
            } else if isBorder(before) || before == underscore, isBorder(after) || after == underscore {
                found = .part
            } else {
                continue
            }
            best = best.map { min($0, found) } ?? found
        }
        return best
    }

    private static let underscore = UInt8(ascii: "_")

    private static func isBorder(_ byte: UInt8?) -> Bool { byte.map { "-./".utf8.contains($0) } ?? true }
}
