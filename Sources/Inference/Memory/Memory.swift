/// Bytes of the machine's memory and of its GPUs' own.
package struct Memory: Sendable, Hashable {
    package var host: Int64
    package var device: Int64

    package init(host: Int64 = 0, device: Int64 = 0) {
        self.host = host
        self.device = device
    }

    package static let zero = Memory()
    /// More than anybody has, and still far from overflowing when added up.
    package static let unlimited = Memory(host: 1 << 60, device: 1 << 60)

    package func fits(in room: Memory) -> Bool {
        (host == 0 || host <= room.host) && (device == 0 || device <= room.device)
    }

    static func + (a: Memory, b: Memory) -> Memory { Memory(host: a.host + b.host, device: a.device + b.device) }
    static func - (a: Memory, b: Memory) -> Memory { Memory(host: a.host - b.host, device: a.device - b.device) }
    static func += (a: inout Memory, b: Memory) { a = a + b }
    static func -= (a: inout Memory, b: Memory) { a = a - b }
}
