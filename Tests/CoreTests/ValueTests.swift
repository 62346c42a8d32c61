import Core
import SystemPackage
import Testing

@Suite struct ValueTests {
    @Test(arguments: [
        (0, "0B", "0B"), (999, "999B", "999B"), (1000, "1.00kB", "1000B"), (1_221_088, "1.22MB", "1.16MiB"),
        (268_800_000, "268.80MB", "256.35MiB"), (5_000_000_000, "5.00GB", "4.66GiB"),
    ])
    func byteCounts(_ bytes: Int, _ decimal: String, _ binary: String) {
        #expect(ByteCount(bytes).decimal == decimal)
        #expect(ByteCount(bytes).binary == binary)
    }

    @Test(
        arguments: [
            (0.5, 2, "0.50"), (-0.000_01, 6, "-0.000010"), (-0.001, 2, "0.00"), (999.999, 2, "1000.00"), (7, 0, "7"),
            // What the fuzzer found: six more digits do not fit into 64 bits.
            (9.9e14, 6, "990000000000000.0"), (-9.3e12, 6, "-9300000000000.0"), (1e300, 6, "1e+300"),
            (.infinity, 2, "inf"), (.greatestFiniteMagnitude, 2, "1.7976931348623157e+308"),
        ] as [(Double, Int, String)])
    func fixedDecimals(_ value: Double, _ decimals: Int, _ text: String) { #expect(value.fixed(decimals) == text) }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-21T07:45:31Z", 1_795_247_131), ("2000-02-29T23:59:59Z", 951_868_799),
            ("2024-12-31T23:59:59.999999999+01:30", 1_735_684_199), ("1969-12-31T23:59:59Z", -1),
        ] as [(String, Int64)])
    func timestamps(_ text: String, _ seconds: Int64) throws {
        let parsed = try #require(Timestamp(rfc3339: text))
        #expect(parsed.seconds == seconds)
        #expect(Timestamp(rfc3339: parsed.rfc3339) == parsed)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-11-21T07:45:31", "2026-13-21T07:45:31Z", "2026-11-21T07:45:31+1:00",
        "xxxx-11-21T07:45:31Z",
    ])
    func badTimestamps(_ text: String) { #expect(Timestamp(rfc3339: text) == nil) }

    @Test(
        arguments: [
            (0, "0 seconds ago"), (1, "1 second ago"), (59, "59 seconds ago"), (60, "1 minute ago"),
            (3600, "1 hour ago"),
            (7 * 3600, "7 hours ago"), (86400 * 3, "3 days ago"), (86400 * 20, "2 weeks ago"),
            (86400 * 90, "3 months ago"),
            (86400 * 800, "2 years ago"),
        ] as [(Int64, String)])
    func ages(_ seconds: Int64, _ text: String) {
        #expect(Timestamp(seconds: 1000).ago(from: Timestamp(seconds: 1000 + seconds)) == text)
    }

    @Test func failuresAreOneLine() {
        let failure = Failure(
            .notFound, "cannot read x", cause: Failure(.internalError, "two\nlines"), advice: "Do this.")
        #expect(failure.description == "cannot read x: two lines. Do this.")
        #expect(failure.during("loading").message == "loading: cannot read x")
    }

    @Test(arguments: [
        ([:], "/.docker/models"), (["HOME": "/h"], "/h/.docker/models"),
        (["HOME": "/h", "DOCKER_CONFIG": "/c"], "/c/models"),
        (["HOME": "/h", "MODELS_PATH": " '/m' "], "/m"), (["HOME": "/h", "MODELS_PATH": ""], "/h/.docker/models"),
    ])
    func modelPaths(_ environment: [String: String], _ path: String) {
        #expect(Paths(environment: environment).models.string == path)
    }

    @Test func aSocketPathThatIsTooLongIsReplaced() {
        let deep = Paths(environment: ["HOME": "/" + String(repeating: "x", count: 120)])
        #expect(deep.modelRunnerSocket.string.utf8.count <= Paths.maximumSocketPath)
        let other = Paths(environment: ["HOME": "/" + String(repeating: "y", count: 120)])
        #expect(deep.modelRunnerSocket != other.modelRunnerSocket)
    }
}

@Suite struct FilesTests {
    @Test func writesAtomicallyAndReadsBounded() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-test-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("a").appending("b.json")
        try Files.makeDirectory(path.removingLastComponent())
        try Files.write(JSON.object(.init([("x", 1)])).bytes, to: path)
        try Files.write(JSON.object(.init([("x", 2)])).bytes, to: path)
        #expect(try JSON(parsing: Files.read(path))["x"] == 2)
        #expect(try POSIX.list(path.removingLastComponent()) == ["b.json"])
        #expect(throws: Failure.self) { try Files.read(path, limit: 3) }
        let missing = #expect(throws: Failure.self) { try Files.read(folder.appending("none")) }
        #expect(missing?.code == .notFound)
    }

    @Test func removingAFolderDoesNotFollowLinks() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-test-")
        defer { try? Files.remove(folder) }
        let kept = folder.appending("kept")
        try Files.write(JSON.null.bytes, to: kept)
        let tree = folder.appending("tree")
        try Files.makeDirectory(tree)
        try POSIX.symbolicLink(at: tree.appending("link"), to: folder)
        try Files.remove(tree)
        #expect(!Files.exists(tree))
        #expect(Files.exists(kept))
    }

    @Test func aLockIsHeldOnce() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-test-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("lock")
        func isFree() throws -> Bool { try FileLock.acquire(path, wait: false) != nil }
        let held = try FileLock.acquire(path)
        let isHeld = held != nil
        #expect(isHeld)
        #expect(try !isFree())
        _ = consume held
        #expect(try isFree())
    }
}

@Suite struct PromiseTests {
    @Test func everyWaiterGetsTheFirstOutcome() async throws {
        let promise = Promise<Int>()
        async let a = promise.value
        async let b = promise.value
        promise.fulfil(.success(1))
        promise.fulfil(.success(2))
        #expect(try await [a, b, promise.value] == [1, 1, 1])
    }

    @Test func aCancelledWaitEnds() async {
        let promise = Promise<Int>()
        let task = Task { try await promise.value }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aDeadlineEndsTheWork() async {
        let failure = await #expect(throws: Failure.self) {
            try await withDeadline(.milliseconds(1), "too slow") { await untilCancelled() }
        }
        #expect(failure?.code == .timedOut)
    }
}
