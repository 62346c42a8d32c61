/// New names for things that clients ask for again.
enum Identifier {
    private static let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789")

    /// - Returns: the prefix with 24 random characters, which nobody guesses.
    static func make(_ prefix: String) -> String {
        var generator = SystemRandomNumberGenerator()
        return prefix + String((0..<24).map { _ in characters.randomElement(using: &generator) ?? "0" })
    }
}
