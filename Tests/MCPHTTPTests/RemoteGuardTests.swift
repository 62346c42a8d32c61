import Core
import OCI
import Testing

@testable import MCPHTTP

@Suite struct RemoteGuardTests {
    private func check(_ url: String, _ addresses: [String], allowsPrivate: Bool) async throws -> [IPAddress] {
        let remoteGuard = RemoteGuard(allowsPrivate: allowsPrivate) { _ in addresses.compactMap { IPAddress($0) } }
        return try await remoteGuard.check(try #require(WebAddress(url)))
    }

    /// What is nobody's business, as a literal address and behind a name.
    @Test(arguments: [
        "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "127.0.0.1", "127.255.255.255",
        "0.0.0.0", "169.254.169.254", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.0.1", "198.18.0.1",
        "192.0.2.1", "203.0.113.9", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1",
        "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1",
        "2001:0:0:0:0:0:80ff:fffe", "2001:db8::1", "fe80::5efe:10.0.0.1", "2600::5efe:10.0.0.1",
    ])
    func nearAddressesAreRefused(address: String) async throws {
        let literal = address.contains(":") ? "[\(address)]" : address
        // Written as one, an IPv4 address within an IPv6 one is no host that an address may have.
        for (url, addresses) in [("https://\(literal)/mcp", []), ("https://server.example/mcp", [address])]
        where WebAddress(url) != nil {
            let failure = await #expect(throws: Failure.self) {
                try await check(url, addresses, allowsPrivate: false)
            }
            #expect(failure?.code == .forbidden, "\(url)")
        }
    }

    @Test(
        arguments: [
            ("https://server.example/mcp", ["93.184.216.34"], false, nil),
            ("https://server.example/mcp", ["2606:2800:220:1::1", "93.184.216.34"], false, nil),
            ("https://server.example/mcp", ["93.184.216.34", "10.0.0.1"], false, .forbidden),
            ("https://server.example/mcp", [], false, .unavailable),
            ("http://server.example/mcp", ["93.184.216.34"], false, .forbidden),
            ("http://server.example/mcp", ["93.184.216.34"], true, .forbidden),
            ("http://server.example/mcp", ["93.184.216.34", "10.0.0.1"], true, .forbidden),
            ("http://intranet.example/mcp", ["10.0.0.1"], true, nil),
            ("http://127.0.0.1:8000/mcp", [], true, nil), ("http://[::1]:8000/mcp", [], true, nil),
            ("https://intranet.example/mcp", ["192.168.1.1"], true, nil),
            ("https://metadata.example/", ["169.254.169.254"], true, .forbidden),
            ("http://metadata.example/", ["64:ff9b::a9fe:a9fe"], true, .forbidden),
        ] as [(String, [String], Bool, Failure.Code?)])
    func grants(url: String, addresses: [String], allowsPrivate: Bool, code: Failure.Code?) async throws {
        do {
            let found = try await check(url, addresses, allowsPrivate: allowsPrivate)
            #expect(code == nil && !found.isEmpty)
            if !addresses.isEmpty {
                #expect(found == addresses.compactMap { IPAddress($0) }, "what was judged is dialled")
            }
        } catch let failure as Failure { #expect(failure.code == code) }
    }

    @Test(
        arguments: [
            ("https://a.example/mcp", [], true), ("https://a.example/mcp", [("X-Key", "v")], true),
            ("ftp://a.example", [], false), ("https://me:secret@a.example/", [], false), ("", [], false),
            ("https://a.example/", [("X-Key", "a\r\nHost: b")], false), ("https://a.example/", [("X Key", "v")], false),
            ("https://a.example/", [("", "v")], false), ("https://a.example/", [("Host", "b")], false),
            ("https://a.example/", [("mcp-session-id", "b")], false), ("https://a.example/", [("X-Key", "ü")], false),
        ] as [(String, [(String, String)], Bool)])
    func endpoints(url: String, headers: [(String, String)], isOne: Bool) {
        do {
            _ = try RemoteEndpoint(url: url, kind: .automatic, headers: headers)
            #expect(isOne)
        } catch let failure as Failure {
            #expect(!isOne && failure.code == .invalidArgument)
            #expect(!failure.description.contains("secret") && !failure.description.contains("Host: b"))
        } catch { Issue.record(error) }
    }
}
