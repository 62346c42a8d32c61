internal import Core

/// What all runners together may take.
package struct MemoryBudget: Sendable, Hashable {
    /// The variable that sets the machine's memory for models: `8GB`, `512MiB`, `unlimited`.
    package static let variable = "WHARF_MEMORY_BUDGET"

    package var total: Memory
    /// Whether what others leave of the machine's memory counts too, at the moment of a load.
    package var followsAvailability: Bool

    package init(total: Memory, followsAvailability: Bool) {
        self.total = total
        self.followsAvailability = followsAvailability
    }

    package static let unlimited = MemoryBudget(total: .unlimited, followsAvailability: false)

    /// The share of the machine's memory that models may take where nobody says more.
    private static let share = 0.85

    /// - Parameters:
    ///   - setting: the variable's value; what it says is believed, and nothing else asked.
    ///   - machine: bytes of memory this process may use; nil where the system does not tell, and nothing is refused.
    /// - Throws: `.invalidArgument` for a setting that is no size.
    package init(setting: String?, machine: Int64?) throws {
        if let setting {
            if setting.lowercased() == "unlimited" {
                self = .unlimited
                return
            }
            guard let bytes = Self.bytes(setting) else {
                throw Failure(
                    .invalidArgument, "\(Self.variable) is \(JSON.quoted(setting)), which is no size",
                    advice: "Write 8GB, 512MiB or unlimited.")
            }
            self.init(total: Memory(host: bytes, device: Memory.unlimited.device), followsAvailability: false)
        } else if let machine {
            let host = Int64(Double(machine) * Self.share)
            self.init(total: Memory(host: host, device: Memory.unlimited.device), followsAvailability: true)
        } else {
            self = .unlimited
        }
    }

    private static let units: [Substring: Double] = [
        "": 1, "b": 1, "k": 0x1p10, "kb": 1e3, "kib": 0x1p10, "m": 0x1p20, "mb": 1e6, "mib": 0x1p20, "g": 0x1p30,
        "gb": 1e9, "gib": 0x1p30, "t": 0x1p40, "tb": 1e12, "tib": 0x1p40,
    ]

    static func bytes(_ text: String) -> Int64? {
        let lower = text.lowercased().filter { $0 != " " }
        let digits = lower.prefix { $0.isNumber || $0 == "." }
        guard let value = Double(digits), let unit = units[lower.dropFirst(digits.count)] else { return nil }
        let bytes = value * unit
        return bytes > 0 && bytes <= Double(Memory.unlimited.host) ? Int64(bytes) : nil
    }
}
