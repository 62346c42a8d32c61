internal import Core

/// What an engine said to `--list-devices`: the GPUs it can use, as it names them.
struct DeviceList: Sendable, Hashable {
    struct Device: Sendable, Hashable {
        /// `CUDA0`
        var name: String
        var description: String
        /// Bytes.
        var total: Int64
        var free: Int64

        /// What makes it: the name without its number.
        var kind: String { String(name.prefix { !$0.isNumber }) }
        /// Whether its memory is the machine's own.
        var isUnified: Bool { kind == "Metal" || kind == "MTL" }
    }

    var devices: [Device]

    /// - Parameter output: other lines may come before; what has no memory of its own to speak of is no GPU.
    init(parsing output: String) {
        let lines = output.split(whereSeparator: \.isNewline).drop { !$0.contains("Available devices") }.dropFirst()
        devices = lines.compactMap(Self.device).filter { $0.total > 0 && $0.kind != "CPU" && $0.kind != "BLAS" }
    }

    /// `  CUDA0: NVIDIA GeForce RTX 3090 (24135 MiB, 23814 MiB free)`
    private static func device(_ line: Substring) -> Device? {
        let text = line.trimmingPrefix { $0 == " " }
        guard let colon = text.firstIndex(of: ":"), let open = text.lastIndex(of: "("), colon < open, text.last == ")"
        else { return nil }
        let numbers = text[text.index(after: open)...].split(separator: ",").map { part in
            Int64(part.trimmingPrefix { $0 == " " }.prefix { $0.isNumber })
        }
        guard numbers.count == 2, let total = numbers[0], let free = numbers[1], total < 1 << 30, free < 1 << 30 else {
            return nil
        }
        return Device(
            name: String(text[..<colon]),
            description: String(String(text[text.index(after: colon)..<open]).trimmed), total: total << 20,
            free: free << 20)
    }

    /// Which kind to prefer; those that are not named come last.
    private static let preference = ["CUDA", "ROCm", "HIP", "Metal", "MTL", "SYCL", "CANN", "MUSA", "Vulkan"]

    /// Less is better; nil without any device.
    var rank: Int? {
        devices.map { Self.preference.firstIndex(of: $0.kind) ?? Self.preference.count }.min()
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text.trimmingPrefix(while: \.isWhitespace))
    }
}
