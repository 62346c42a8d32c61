internal import Core
internal import NIOCore
internal import SystemPackage
internal import Testing
internal import Toolkit

@Suite struct GrantsTests {
    private func withFile<R>(_ text: String?, _ body: (FilePath) throws -> R) throws -> R {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-grants-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("sub/grants.yaml")
        if let text {
            try Files.makeDirectory(folder.appending("sub"))
            try Files.write(ByteBuffer(string: text), to: path)
        }
        return try body(path)
    }

    @Test func whatIsNotThereGrantsNothing() throws {
        let grants = try withFile(nil) { try Grants.load($0) }
        #expect(grants == Grants())
        #expect(grants["anybody"].network == nil)
        #expect(grants["anybody"].files.isEmpty)
    }

    @Test func flagsAndFileSayTheSame() throws {
        var grants = Grants()
        try grants.allowNetwork("fetch")
        try grants.allowNetwork("web=my-net_1")
        try grants.allowFiles("git=/home/me/project/")
        try grants.allowFiles("git=/home/me/other/../more:rw")
        try grants.allowFiles("memory=notes:rw")
        try grants.allowPrivateNetwork("intranet")
        #expect(grants["intranet"].privateNetwork && !grants["fetch"].privateNetwork)
        #expect(grants["fetch"].network == "bridge")
        #expect(grants["web"].network == "my-net_1")
        #expect(grants["git"].files.map(\.description) == ["/home/me/project", "/home/me/more:rw"])
        #expect(grants["memory"].files.map(\.isWritable) == [true])
        let read = try withFile(nil) { path in
            try grants.save(path)
            return try Grants.load(path)
        }
        #expect(read == grants)
    }

    @Test func aLaterGrantOfAPlaceCounts() throws {
        var grants = Grants()
        try grants.allowFiles("git=/a:rw")
        try grants.allowFiles("git=/a")
        #expect(grants["git"].files.map(\.description) == ["/a"])
        var others = Grants()
        try others.allowFiles("git=/a:rw")
        try others.allowNetwork("git")
        grants.merge(others)
        #expect(grants["git"].files.map(\.description) == ["/a:rw"])
        #expect(grants["git"].network == "bridge")
        let (first, second) = (grants.revoke("git"), grants.revoke("git"))
        #expect(first && !second)
    }

    @Test(arguments: ["host", "none", "../x", "a b", "-x", "container:", "container:-x", ""])
    func isNoNetwork(_ name: String) throws {
        var grants = Grants()
        #expect(throws: Failure.self) { try grants.allowNetwork("s=\(name)") }
    }

    @Test(arguments: ["s", "s=", "=", "=/x", "s=/x:rw:ro", "s=relative/path", "s=~/x", "s=-v", "s=a\nb"])
    func isNoPlace(_ text: String) throws {
        var grants = Grants()
        #expect(throws: Failure.self) { try grants.allowFiles(text) }
    }

    @Test(arguments: [
        "[]", "s: bridge", "s: [/x]", "s: {netwrk: bridge}", "s: {files: /x}", "s: {files: [x/y]}",
        "s: {network: host}", "s: {network: 3}",
        "s: {network: [a]}", "a: &a {network: true}\ns: *b",
    ])
    func aFileWithAMistakeIsRefused(_ text: String) throws {
        #expect(throws: Failure.self) { try withFile(text) { try Grants.load($0) } }
    }

    @Test func trueMeansTheUsualNetworkAndFalseNone() throws {
        let grants = try withFile("a: {network: true}\nb: {network: false}\n") { try Grants.load($0) }
        #expect(grants["a"].network == "bridge")
        #expect(grants["b"].network == nil)
    }
}
