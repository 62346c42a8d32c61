internal import Core

/// How many parameters a model has, as people write it.
enum ParameterCount {
    /// `361.82M`
    static func text(_ parameters: UInt64) -> String {
        var value = Double(parameters)
        var unit = 0
        let units = ["", "K", "M", "B", "T"]
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? String(parameters) : value.fixed(2) + units[unit]
    }
}
