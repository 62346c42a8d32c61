import Core
import MCPHTTP
import NIOCore
import SystemPackage
import Testing

@testable import MCPCommands

@Suite struct TokensFileTests {
    private func load(_ text: String, mode: UInt16 = 0o600) throws -> (tokens: [Token], remarks: [String]) {
        let folder = try Files.makeTemporaryDirectory(prefix: "tokens-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("tokens.yaml")
        try Files.write(ByteBuffer(string: text), to: path, mode: mode)
        var remarks: [String] = []
        let tokens = try TokensFile.load(path, servers: ["git", "time"]) { remarks.append($0) }
        return (tokens, remarks)
    }

    @Test func everyEntryIsSomebody() throws {
        let (tokens, remarks) = try load(
            """
            alice: {secret: correct-horse}
            ci: {sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b, servers: [git], rate: 10/s}
            """)
        #expect(tokens.count == 2 && remarks.isEmpty)
        let authorization = Authorization.tokens(tokens)
        #expect(authorization.principal(header: "Bearer correct-horse") == Principal(name: "alice"))
        #expect(
            authorization.principal(header: "Bearer secret")
                == Principal(name: "ci", servers: ["git"], rate: Rate("10/s")))
        #expect(authorization.principal(header: "Bearer else") == nil)
    }

    @Test(arguments: [
        ("", "no tokens"), ("[1]", "mapping"), ("a: 1", "mapping"), ("a: {}", "either secret or sha256"),
        ("a: {secret: s, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}", "either"),
        ("a: {secret: 5}", "text"), ("a: {secret: 'top s3cret'}", "not usable"), ("a: {sha256: abc}", "64"),
        ("a: {secret: s, servers: git}", "list"), ("a: {secret: s, servers: [1]}", "list"),
        ("a: {secret: s, rate: fast}", "10/s"), ("a: {secret: s, sevrers: [git]}", "sevrers"),
    ])
    func whatIsWrongIsSaid(text: String, part: String) {
        let failure = #expect(throws: Failure.self) { try load(text) }
        #expect(failure?.code == .invalidArgument)
        #expect(failure?.description.contains(part) == true, "\(failure?.description ?? "")")
        #expect(failure?.description.contains("s3cret") == false)
    }

    @Test func whatIsOddIsRemarkedOn() throws {
        let (_, remarks) = try load("a: {secret: s, servers: [git, gti]}", mode: 0o644)
        #expect(remarks.count == 2)
        #expect(remarks[0].contains("gti") && remarks[1].contains("chmod 600"))
    }
}
