/// An IPv4 or IPv6 address, and from how far away it can be reached.
package struct IPAddress: Hashable, Sendable {
    /// 4 or 16, the most significant first. An IPv4 address within an IPv6 one is taken out of it.
    package let bytes: [UInt8]

    /// nil unless there are 4 or 16.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        if bytes.count == 16, Self.carriers.contains(where: { bytes.starts(with: $0) }) {
            self.bytes = Array(bytes.suffix(4))
        } else {
            self.bytes = bytes
        }
    }

    /// `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`; nil for anything else, names and short forms included.
    package init?(_ text: some StringProtocol) {
        var text = text[...]
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        guard text.utf8.count <= 45, let bytes = POSIX.addressBytes(String(text)) else { return nil }
        self.init(bytes: bytes)
    }

    /// `::ffff:0:0/96` and NAT64's `64:ff9b::/96`.
    private static let carriers: [[UInt8]] = [
        [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF], [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8),
    ]

    /// Whether the first `length` bits are those of `network`.
    package func isIn(_ network: IPAddress, length: Int) -> Bool {
        guard bytes.count == network.bytes.count, (0...(bytes.count * 8)).contains(length) else { return false }
        let whole = length / 8
        guard bytes.prefix(whole) == network.bytes.prefix(whole) else { return false }
        let rest = length % 8
        return rest == 0 || (bytes[whole] ^ network.bytes[whole]) >> (8 - rest) == 0
    }

    /// From where an address can be reached.
    package enum Reach: Sendable, Hashable, CaseIterable {
        case everywhere
        /// A private network: RFC 1918, carrier-grade NAT, unique local.
        case network
        case machine
        /// Link-local, where clouds keep their metadata services; multicast; reserved.
        case link
    }

    package var reach: Reach { Self.ranges.first { isIn($0.network, length: $0.length) }?.reach ?? .everywhere }

    /// The first that matches counts.
    private static let ranges: [(network: IPAddress, length: Int, reach: Reach)] = [
        ("127.0.0.0", 8, .machine), ("0.0.0.0", 8, .machine), ("::1", 128, .machine), ("::", 128, .machine),
        ("169.254.0.0", 16, .link), ("fe80::", 10, .link), ("224.0.0.0", 3, .link), ("ff00::", 8, .link),
        // Metadata services that are not link-local: AWS over IPv6, Alibaba, Azure.
        ("fd00:ec2::254", 128, .link), ("100.100.100.200", 32, .link), ("168.63.129.16", 32, .link),
        ("10.0.0.0", 8, .network), ("172.16.0.0", 12, .network), ("192.168.0.0", 16, .network),
        ("100.64.0.0", 10, .network), ("192.0.0.0", 24, .network), ("198.18.0.0", 15, .network),
        ("fc00::", 7, .network), ("fec0::", 10, .network),
    ].compactMap { text, length, reach in IPAddress(text).map { ($0, length, reach) } }
}
