import Core
import Testing

@Suite struct IPAddressTests {
    @Test(
        arguments: [
            ("8.8.8.8", .everywhere), ("2001:4860:4860::8888", .everywhere), ("172.32.0.1", .everywhere),
            ("100.128.0.1", .everywhere), ("11.0.0.1", .everywhere),
            ("10.1.2.3", .network), ("172.16.0.1", .network), ("172.31.255.255", .network), ("192.168.1.1", .network),
            ("100.64.0.1", .network), ("fd12::1", .network), ("fc00::1", .network), ("::ffff:10.0.0.1", .network),
            ("64:ff9b::10.0.0.1", .network),
            ("127.0.0.1", .machine), ("127.9.9.9", .machine), ("0.0.0.0", .machine), ("::1", .machine),
            ("::", .machine),
            ("[::1]", .machine), ("::ffff:127.0.0.1", .machine),
            ("169.254.169.254", .link), ("fe80::1", .link), ("febf::1", .link), ("224.0.0.1", .link),
            ("ff02::1", .link),
            ("255.255.255.255", .link), ("fd00:ec2::254", .link), ("100.100.100.200", .link), ("168.63.129.16", .link),
            ("::ffff:169.254.169.254", .link), ("64:ff9b::169.254.169.254", .link), ("64:ff9b::8.8.8.8", .everywhere),
            ("64:ff9b:1::8.8.8.8", .network), ("fd20:ce::254", .link), ("192.0.0.192", .link),
            // Tunnels: 6to4, Teredo, ISATAP, IPv4-compatible.
            ("2002:7f00:1::", .machine), ("2002:a00:1::1", .network), ("2002:a9fe:a9fe::", .link),
            ("2002:808:808::", .everywhere),
            ("2001:0:1:2:3:4:80ff:fffe", .machine), ("2001:0:1:2:3:4:f7f7:f7f7", .everywhere),
            ("2001:4860::5efe:10.0.0.1", .network), ("2001:4860::200:5efe:127.0.0.1", .machine),
            ("::127.0.0.1", .machine), ("::169.254.169.254", .link),
            ("192.0.2.1", .link), ("198.51.100.7", .link), ("203.0.113.9", .link), ("2001:db8::1", .link),
            ("100::1", .link),
        ] as [(String, IPAddress.Reach)])
    func knowsFromWhereAnAddressIsReached(text: String, reach: IPAddress.Reach) throws {
        #expect(try #require(IPAddress(text)).reach == reach)
    }

    @Test(
        arguments: [
            ("8.8.8.8", "8.8.8.8"), ("[::1]", "::1"), ("2001:4860:0:0:0:0:0:8888", "2001:4860::8888"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
        ])
    func isWrittenAsItIsDialled(text: String, expected: String) throws {
        #expect("\(try #require(IPAddress(text)))" == expected)
    }

    @Test func theNearerIsTheGreater() {
        #expect(IPAddress.Reach.allCases == IPAddress.Reach.allCases.sorted())
        #expect(IPAddress.Reach.everywhere < .network && .network < .machine && .machine < .link)
    }

    @Test(arguments: ["", "x", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "0x7f.1", "2130706433", "::g", "[1.2"])
    func refusesWhatIsNoAddress(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test(
        arguments: [
            ("10.1.2.3", "10.0.0.0", 8, true), ("11.1.2.3", "10.0.0.0", 8, false), ("10.1.2.3", "10.1.2.2", 31, true),
            ("10.1.2.4", "10.1.2.2", 31, false), ("10.1.2.3", "10.1.2.3", 32, true), ("10.1.2.3", "8.8.8.8", 0, true),
            ("10.1.2.3", "10.1.2.3", 33, false), ("10.1.2.3", "10.1.2.3", -1, false), ("::1", "10.0.0.0", 0, false),
            ("fd00::1", "fc00::", 7, true),
        ] as [(String, String, Int, Bool)])
    func networks(address: String, network: String, length: Int, isIn: Bool) throws {
        let (address, network) = (try #require(IPAddress(address)), try #require(IPAddress(network)))
        #expect(address.isIn(network, length: length) == isIn)
    }

    @Test func thisMachineHasAName() {
        #expect(POSIX.addresses(ofHost: "localhost").contains { $0.reach == .machine })
        #expect(POSIX.addresses(ofHost: "does-not-exist.invalid").isEmpty)
    }
}
