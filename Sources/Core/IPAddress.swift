/// An IPv4 or IPv6 address, and from how far away it can be reached.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16, the most significant first. An IPv4 address written as an IPv6 one, `::ffff:a.b.c.d`, has 4.
    package let bytes: [UInt8]

    /// nil unless there are 4 or 16.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes.starts(with: Self.mapped) ? Array(bytes.suffix(4)) : bytes
    }

    /// `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`; nil for anything else, names and short forms included.
    package init?(_ text: some StringProtocol) {
        var text = text[...]
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        guard text.utf8.count <= 45, let bytes = POSIX.addressBytes(String(text)) else { return nil }
        self.init(bytes: bytes)
    }

    /// As a client dials it: without brackets.
    package var description: String { POSIX.addressText(bytes) ?? "?" }

    private static let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
    private static let nat64: [UInt8] = [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8)

    /// Whether the first `length` bits are those of `network`.
    package func isIn(_ network: IPAddress, length: Int) -> Bool {
        guard bytes.count == network.bytes.count, (0...(bytes.count * 8)).contains(length) else { return false }
        let whole = length / 8
        guard bytes.prefix(whole) == network.bytes.prefix(whole) else { return false }
        let rest = length % 8
        return rest == 0 || (bytes[whole] ^ network.bytes[whole]) >> (8 - rest) == 0
    }

    /// From where an address can be reached; the nearer, the greater.
    package enum Reach: Int, Sendable, Hashable, CaseIterable, Comparable {
        case everywhere
        /// A private network: RFC 1918, carrier-grade NAT, unique local.
        case network
        case machine
        /// Where nobody is sent by somebody else: link-local, where clouds keep their metadata services; multicast;
        /// reserved.
        case link

        package static func < (a: Reach, b: Reach) -> Bool { a.rawValue < b.rawValue }

        /// For messages.
        package var description: String {
            switch self {
            case .everywhere: "a public address"
            case .network: "an address in a private network"
            case .machine: "an address on this machine"
            case .link: "an address that is never asked on behalf of others"
            }
        }
    }

    /// Of an address that leads through a tunnel to another, the nearer of both.
    package var reach: Reach {
        let own = Self.ranges.first { isIn($0.network, length: $0.length) }?.reach ?? .everywhere
        return tunnelled.map { max(own, $0.reach) } ?? own
    }

    /// The IPv4 address that a packet to this one ends at, where a router on the way knows the tunnel: NAT64's
    /// `64:ff9b::/96`, 6to4's `2002::/16`, Teredo's `2001::/32` (turned over), ISATAP's `…:0:5efe:a.b.c.d`, `::a.b.c.d`.
    private var tunnelled: IPAddress? {
        guard bytes.count == 16 else { return nil }
        if bytes.starts(with: [0x20, 0x02]) { return IPAddress(bytes: Array(bytes[2..<6])) }
        if bytes.starts(with: [0x20, 0x01, 0, 0]) { return IPAddress(bytes: bytes[12...].map { ~$0 }) }
        let isISATAP = bytes[8] & 0xFD == 0 && bytes[9...11].elementsEqual([0, 0x5E, 0xFE])
        let isCarried = bytes.starts(with: Self.nat64) || bytes.prefix(12).allSatisfy { $0 == 0 }
        return isISATAP || isCarried ? IPAddress(bytes: Array(bytes[12...])) : nil
    }

    /// The first that matches counts.
    private static let ranges: [(network: IPAddress, length: Int, reach: Reach)] = [
        ("127.0.0.0", 8, .machine), ("0.0.0.0", 8, .machine), ("::1", 128, .machine), ("::", 128, .machine),
        ("169.254.0.0", 16, .link), ("fe80::", 10, .link), ("224.0.0.0", 3, .link), ("ff00::", 8, .link),
        // Metadata services that are not link-local: AWS and Google over IPv6, Alibaba, Azure, Oracle.
        ("fd00:ec2::254", 128, .link), ("fd20:ce::254", 128, .link), ("100.100.100.200", 32, .link),
        ("168.63.129.16", 32, .link), ("192.0.0.192", 32, .link),
        ("10.0.0.0", 8, .network), ("172.16.0.0", 12, .network), ("192.168.0.0", 16, .network),
        ("100.64.0.0", 10, .network), ("192.0.0.0", 24, .network), ("198.18.0.0", 15, .network),
        ("fc00::", 7, .network), ("fec0::", 10, .network),
        // NAT64 of one's own network, whose bits say nothing to outsiders.
        ("64:ff9b:1::", 48, .network),
        // Documentation, discarding, the old way to 6to4: nobody is there.
        ("192.0.2.0", 24, .link), ("198.51.100.0", 24, .link), ("203.0.113.0", 24, .link), ("192.88.99.0", 24, .link),
        ("2001:db8::", 32, .link), ("3fff::", 20, .link), ("100::", 64, .link),
    ].compactMap { text, length, reach in IPAddress(text).map { ($0, length, reach) } }
}
