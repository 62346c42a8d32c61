import Core
import ModelStore
import NIOCore
import OCI
import Subprocess
import SystemPackage
import TestSupport
import Testing

extension Integration {
    /// A process that is killed while it changes the store leaves what was there or what was to be, and no half of it.
    @Suite(.enabled(if: RealParts.isThere && Strace.isThere, "needs strace"), .timeLimit(.minutes(10)))
    struct KillTests {
        private static let created = Timestamp(seconds: 1_700_000_000)
        /// More than any operation here makes of one kind.
        private static let maximumCalls = 60

        private func pack(_ root: FilePath) async throws {
            try await ModelStore(root: root).package(
                gguf: RealParts.pebble, as: ModelReference(parsing: "x"), created: Self.created)
        }

        @Test(arguments: ["mkdir", "write", "rename", "fsync", "flock", "unlink"])
        func packaging(_ call: String) async throws {
            try await Workplace.with { place in
                let variables = Strace.quiet.merging(["SOURCE_DATE_EPOCH": "\(Self.created.seconds)"]) { $1 }
                _ = try ModelStore(root: place.models)
                let old = try StoreState(of: place.models)
                try await pack(place.models)
                let new = try StoreState(of: place.models)
                for number in 1...Self.maximumCalls {
                    try Files.remove(place.models)
                    let outcome = try await place.run(
                        "/usr/bin/env",
                        Strace(call: call, number: number).arguments(
                            RealParts.path("WHARF_BIN"), ["model", "package", "--gguf", RealParts.pebble.string, "x"]),
                        variables)
                    try await settle(place, old, new, "\(call) \(number): \(outcome.text)") { try await pack($0) }
                    if outcome.status == 0 { return }
                    try #require(outcome.status == 128 + 9, "\(outcome.text)")
                }
                Issue.record("\(call) was called more often than \(Self.maximumCalls) times")
            }
        }

        /// Whatever was killed: the state is an old or a new one, nothing is in the way of the next attempt, and what is
        /// left over can be removed.
        private func settle(
            _ place: Workplace, _ old: StoreState, _ new: StoreState, _ comment: Comment,
            again: (FilePath) async throws -> Void
        ) async throws {
            let state = try StoreState(of: place.models)
            #expect([old.models, new.models].contains(state.models), comment)
            if Files.exists(place.models.appending("models.json")) {
                let pruned = try StoreState.pruned(place.models)
                #expect(pruned.models == state.models, comment)
                #expect(pruned.contents == (state.models == old.models ? old : new).contents, comment)
            }
            if state.models == old.models, old.models != new.models { try await again(place.models) }
            let last = try StoreState(of: place.models)
            #expect(last.models == new.models, comment)
            #expect(try StoreState.pruned(place.models).contents == new.contents, comment)
        }

        struct Change: Sendable {
            let name: String
            /// Whether the model is there before.
            let packed: Bool
            /// Arguments of curl, `URL` standing for the daemon's address.
            let request: [String]
            let again: @Sendable (FilePath, FilePath) async throws -> Void
        }

        private static let changes = [
            Change(
                name: "tag", packed: true, request: ["-X", "POST", "URL/models/x/tag?repo=ai/y&tag=latest"],
                again: { root, _ in try ModelStore(root: root).tag("x", as: ModelReference(parsing: "y")) }),
            Change(
                name: "rm", packed: true, request: ["-X", "DELETE", "URL/models/x"],
                again: { root, _ in try ModelStore(root: root).remove(named: "x") }),
            Change(
                name: "purge", packed: true, request: ["-X", "DELETE", "URL/models/purge"],
                again: { root, _ in try ModelStore(root: root).purge() }),
            Change(
                name: "load", packed: false, request: ["-T", "ARCHIVE", "-X", "POST", "URL/models/load"],
                again: { root, archive in
                    try await ModelStore(root: root).load(FileChunks(archive))
                }),
            Change(
                name: "pull", packed: false, request: ["-d", "{\"from\":\"hf.co/o/x\"}", "URL/models/create"],
                again: { _, _ in }),
        ]

        @Test(arguments: [0, 1, 2, 3, 4], ["mkdir", "rename", "fsync", "flock", "unlink", "rmdir"])
        func throughTheDaemon(_ which: Int, _ call: String) async throws {
            let change = Self.changes[which]
            try await FakeHub.run { hub in
                hub.publish("o/x", ["x-Q8_0.gguf": try Files.read(RealParts.pebble)])
                try await Workplace.with { place in
                    try await kill(change, call, place, hub)
                }
            }
        }

        private func kill(_ change: Change, _ call: String, _ place: Workplace, _ hub: FakeHub) async throws {
            let archive = place.folder.appending("x.tar")
            func prepare() async throws {
                try Files.remove(place.models)
                _ = try ModelStore(root: place.models)
                if change.packed { try await pack(place.models) }
            }
            try await pack(place.models)
            var bytes = ByteBuffer()
            for try await chunk in try ModelStore(root: place.models).archive(of: "x") {
                bytes.writeImmutableBuffer(chunk)
            }
            try Files.write(bytes, to: archive)

            try await prepare()
            let old = try StoreState(of: place.models)
            var new: StoreState?
            // The first time nothing is killed.
            for number in 0...Self.maximumCalls {
                try await prepare()
                let answered = try await ask(
                    change.request.map {
                        $0.replacing("ARCHIVE", with: archive.string).replacing("URL", with: place.base)
                    },
                    Strace(call: call, number: number == 0 ? Strace.never : number), place, hub)
                if number == 0 { try #require(answered, "\(change.name)") }
                let state = try StoreState(of: place.models)
                guard let new else {
                    new = state
                    continue
                }
                try await settle(place, old, new, "\(change.name), \(call) \(number)") { root in
                    if change.name != "pull" { return try await change.again(root, archive) }
                    let free = Strace(call: call, number: Strace.never)
                    let again = try await ask(
                        change.request.map { $0.replacing("URL", with: place.base) }, free, place, hub)
                    #expect(again, "\(change.name), \(call) \(number)")
                }
                if answered { return }
            }
            Issue.record("\(call) was called more often than \(Self.maximumCalls) times")
        }

        /// Runs a daemon that will be killed, asks it, and waits for its end.
        ///
        /// - Returns: whether it lived long enough to answer with success.
        private func ask(_ request: [String], _ strace: Strace, _ place: Workplace, _ hub: FakeHub) async throws -> Bool
        {
            let program = try RealParts.path("WHARF_BIN")
            let arguments = strace.arguments(program, ["serve", "--port", "\(place.port)"])
            let variables = Strace.quiet.merging(["HF_ENDPOINT": hub.endpoint]) { $1 }
            // One that was killed leaves this behind; whoever has the number now must not be meant.
            try Files.remove(FilePath(place.socket.string + ".pid"))
            let outcome = try await Subprocess.run(
                .path("/usr/bin/env"), arguments: Arguments(arguments), environment: place.variables(variables),
                input: .none, output: .discarded, error: .discarded
            ) { execution in
                let tracer = execution.processIdentifier.value
                while place.daemonPID == nil, !hasEnded(tracer) { try await Task.sleep(for: .milliseconds(5)) }
                guard let daemon = place.daemonPID else { return false }
                let answer = try await place.run(
                    "/usr/bin/env", ["curl", "-sS", "-f", "-m", "20", "--retry", "3", "--retry-connrefused"] + request)
                if !hasEnded(daemon) { POSIX.send(signal: 9, to: daemon) }
                return answer.status == 0 && !answer.out.contains("\"error\"")
            }
            return outcome.closureResult
        }

        /// Whether there is no such process, or it is only waited for.
        private func hasEnded(_ process: Int32) -> Bool {
            let stat = (try? Files.read(FilePath("/proc/\(process)/stat"))).map { String(buffer: $0) }
            return stat?.split(separator: ")").last?.split(separator: " ").first.map { $0 == "Z" } ?? true
        }
    }
}
