import Core
import DockerEngine
import NIOCore
import SystemPackage
import Testing
import Toolkit

@testable import Gateway

@Suite struct MountsTests {
    /// A folder with `project/inner`, `secret`, a link from the project to the secret, and one to the project.
    private func withFolder<R>(_ body: (FilePath) throws -> R) throws -> R {
        let folder = try POSIX.resolve(try Files.makeTemporaryDirectory(prefix: "wharf-mounts-"))
        defer { try? Files.remove(folder) }
        for name in ["project/inner", "project/.ssh", "secret", "projects"] {
            try Files.makeDirectory(name.split(separator: "/").reduce(folder) { $0.appending(String($1)) })
        }
        try POSIX.symbolicLink(at: folder.appending("project").appending("escape"), to: folder.appending("secret"))
        try POSIX.symbolicLink(at: folder.appending("shortcut"), to: folder.appending("project"))
        return try body(folder)
    }

    private func mounts(_ volumes: [String], _ grants: [String], in folder: FilePath) throws -> Mounts {
        var all = Grants()
        for grant in grants { try all.allowFiles("s=" + grant.replacing("$", with: folder.string)) }
        return try Mounts(volumes.map { $0.replacing("$", with: folder.string) }, of: "s", grants: all)
    }

    @Test(arguments: [
        ("$/project:/work", "$/project", "/project", true),
        ("$/project:/work:rw", "$/project", "/project", true),
        ("$/project:/work", "$/project:rw", "/project", false),
        ("$/project:/work:ro", "$/project:rw", "/project", true),
        ("$/project/inner:/work", "$/project", "/project/inner", true),
        ("$/project:/work", "$/shortcut", "/project", true),
        ("$/shortcut/inner:/work", "$/project", "/project/inner", true),
    ])
    func whatIsGrantedIsMounted(volume: String, grant: String, source: String, isReadOnly: Bool) throws {
        try withFolder { folder in
            let mounts = try mounts([volume], [grant], in: folder)
            #expect(
                mounts.mounts == [.init(.bind, source: folder.string + source, target: "/work", isReadOnly: isReadOnly)]
            )
            #expect(mounts.owner == "\(POSIX.userID):\(try POSIX.status(folder).groupID)")
        }
    }

    @Test func theClosestGrantDecides() throws {
        try withFolder { folder in
            let mounts = try mounts(["$/project/inner:/w"], ["$/project", "$/project/inner:rw"], in: folder)
            #expect(mounts.mounts.map(\.isReadOnly) == [false])
        }
    }

    @Test(
        arguments: [
            // Nothing granted, something else granted, a longer name, a way out over a link or dots.
            ("$/project:/work", []), ("$/project:/work", ["$/secret"]), ("$/projects:/work", ["$/project"]),
            ("$/project/escape:/work", ["$/project:rw"]), ("$/project/../secret:/work", ["$/project:rw"]),
            // What a server may write it could turn into a link before another start.
            ("$/project/inner:/work", ["$/project:rw"]),
            ("$/project/inner:/work", ["$/project:rw", "$/project/inner"]),
            ("notes:/work", []), ("notes:/work", ["others"]),
            // Granted, and not given all the same.
            ("/:/work", ["/"]), ("/etc:/work", ["/etc"]), ("/etc/passwd:/etc/passwd", ["/etc/passwd"]),
            ("/proc/self:/work", ["/proc"]), ("/dev/null:/work", ["/dev/null"]),
            ("$/project/.ssh:/work", ["$/project"]),
            // Not understood.
            ("$/project:work", ["$/project"]), ("$/project:/", ["$/project"]), ("$/project:/a/../b", ["$/project"]),
            ("$/project:/work:rw,exec", ["$/project"]), ("$/project:/work:ro:x", ["$/project"]), ("relative", []),
            ("$/missing:/work", ["$/missing"]),
        ] as [(String, [String])])
    func everythingElseIsRefused(volume: String, grants: [String]) throws {
        try withFolder { folder -> Void in
            #expect(throws: Failure.self) { try mounts([volume], grants, in: folder) }
        }
    }

    @Test func theMessageSaysHowToAllowIt() throws {
        try withFolder { folder in
            let failure = #expect(throws: Failure.self) { try mounts(["$/project:/work"], [], in: folder) }
            #expect(failure?.description.contains("--allow-files s=\(folder)/project") == true)
        }
    }

    @Test func volumesHaveNamesAndAnonymousOnesAreMemory() throws {
        try withFolder { folder in
            let mounts = try mounts(["notes:/data", "/cache", ""], ["notes:rw"], in: folder)
            #expect(mounts.mounts == [.init(.volume, source: "notes", target: "/data", isReadOnly: false)])
            #expect(mounts.memory == ["/cache"])
            #expect(mounts.owner == nil)
        }
    }
}
