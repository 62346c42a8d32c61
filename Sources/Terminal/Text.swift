extension String {
    /// The text with control characters made visible, for showing what came from outside on a terminal.
    package var printable: String {
        // Most lines are plain.
        if utf8.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x09 || $0 == 0x0A }) { return self }
        return String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    switch scalar.value {
                    case 0x09, 0x0A: scalar
                    case 0..<0x20, 0x7F..<0xA0: "\u{FFFD}"
                    // Marks that change the direction of text could make one name look like another.
                    case 0x202A...0x202E, 0x2066...0x2069: "\u{FFFD}"
                    default: scalar
                    }
                }))
    }

    package func padded(to width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }
}
