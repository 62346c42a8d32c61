import Core
import NIOCore
import SystemPackage
import Testing

@testable import Gateway

@Suite struct StateFileTests {
    private func withFolder(_ body: (FilePath) throws -> Void) throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "states")
        defer { try? Files.remove(folder) }
        try body(folder.appending("gateways"))
    }

    @Test func isSeenWhileItsProcessLivesAndGoneAfterwards() throws {
        try withFolder { folder in
            let current = try #require(ProcessIdentity.current)
            let file = StateFile(folder: folder)
            try file.write(["process": .string(current.description), "n": 1])
            try file.write(["process": .string(current.description), "n": 2])
            #expect(StateFile.reports(in: folder).map { $0["n"] } == [2])
            #expect(try POSIX.status(folder).mode == 0o700)
            for name in try POSIX.list(folder) {
                #expect(try POSIX.status(folder.appending(name)).mode == 0o600)
            }
            file.remove()
            #expect(StateFile.reports(in: folder).isEmpty)
        }
    }

    @Test func whatAKilledGatewayLeftIsRemoved() throws {
        try withFolder { folder in
            let current = try #require(ProcessIdentity.current)
            try StateFile(folder: folder).write(["process": .string("\(current.place)/\(current.number)/1")])
            #expect(StateFile.reports(in: folder).isEmpty)
            #expect(try POSIX.list(folder).isEmpty)
        }
    }

    @Test(arguments: ["", "{", "[]", "{}", #"{"process":5}"#, #"{"process":"x"}"#])
    func whatIsNoReportIsPassedOver(_ text: String) throws {
        try withFolder { folder in
            try Files.makeDirectory(folder)
            try Files.write(ByteBuffer(string: text), to: folder.appending("1.json"))
            #expect(StateFile.reports(in: folder).isEmpty)
        }
    }
}
