import Testing

@testable import Core

@Suite struct SystemMemoryTests {
    @Test func whatTheKernelSays() throws {
        let text = "MemTotal:       24652192 kB\nMemFree:         1000 kB\nMemAvailable:   20000000 kB\n"
        let memory = try #require(SystemMemory.meminfo(text))
        #expect(memory == SystemMemory(total: 24_652_192 << 10, available: 20_000_000 << 10))
        #expect(SystemMemory.meminfo("MemTotal: 1 kB\n") == nil)
        #expect(SystemMemory.number("VmHWM:", in: "Name:\tx\nVmHWM:\t   44032 kB\n") == 44032 << 10)
        #expect(SystemMemory.number("VmHWM:", in: "VmHWM: -1 kB") == nil)
    }

    @Test(
        arguments: [
            ("max\n", "5\n", nil), ("9223372036854771712\n", "5\n", nil), ("1000\n", "600\n", 500), ("1000", "2000", 0),
            ("", "", nil), ("1000\n", "", 1000),
        ] as [(String, String, Int64?)])
    func controlGroups(limit: String, used: String, available: Int64?) {
        let statistics = "anon 1\ninactive_file 100\nactive_file 7\n"
        let group = SystemMemory.group(limit: limit, used: used, statistics: statistics)
        let machine = SystemMemory(total: 1 << 40, available: 1 << 39)
        #expect(group.map { machine.limited(to: $0).available } == available)
        if let group { #expect(machine.limited(to: group).total == 1000) }
    }

    @Test func thisMachineHasMemory() throws {
        let memory = try #require(SystemMemory.current)
        #expect(memory.available > 0 && memory.available <= memory.total)
        #expect(try #require(SystemMemory.peak(of: POSIX.processID)) > 1 << 20)
    }

    @Test func sessionsAreRead() {
        #expect(SystemMemory.session(stat: "12 (a (b) 7 8 9) S 1 12 11 0 -1") == 11)
        #expect(SystemMemory.session(stat: "12 (a) S 1") == nil && SystemMemory.session(stat: "") == nil)
    }
}
