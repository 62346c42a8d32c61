import Core
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite struct LogTailTests {
    @Test func keepsTheEnd() {
        var tail = LogTail(capacity: 16)
        for number in 1...100 { tail.append(ByteBuffer(string: "line \(number)\n")) }
        #expect(tail.text == "line 100\n")
        tail.append(ByteBuffer(string: String(repeating: "x", count: 1000)))
        #expect(tail.text == String(repeating: "x", count: 16))
    }

    @Test func lastLinesAreReadable() {
        var tail = LogTail()
        tail.append(ByteBuffer(string: "a\n\n \u{1B}[31mb\u{1B}[0m\r\nc\nhalf"))
        #expect(tail.lastLines(3) == [" [31mb[0m", "c", "half"])
    }
}

@Suite struct ExitReportTests {
    @Test(arguments: [
        (ChildExit.signal(4), "", "x stopped while loading the model: illegal instruction (SIGILL)"),
        (
            .signal(9), "",
            "x stopped while loading the model: killed (SIGKILL), most often by the system for lack of memory"
        ),
        (.signal(11), "", "x stopped while loading the model: signal 11"),
        (.code(3), "bad\n", "x stopped while loading the model: exit code 3. Its last output: bad"),
        (
            .code(1), "llama: exiting due to model loading error\n",
            "x stopped while loading the model: failed to load model."
        ),
        (
            .code(1), "cudaMalloc failed: out of memory",
            "x stopped while loading the model: not enough GPU memory to load the model (CUDA)"
        ),
        (
            .code(1), "failed to allocate buffer, size = 9 MiB",
            "x stopped while loading the model: not enough GPU memory to load the model (Metal)"
        ),
        (
            .code(1), "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
            "x stopped while loading the model: not enough GPU memory to load the model (Vulkan)"
        ),
        (
            .code(1), "alloc_tensor_range: failed to allocate buffer of size 99",
            "x stopped while loading the model: not enough memory to load the model"
        ),
        (
            .code(1), "data is not within the file bounds, model is corrupted or incomplete",
            "x stopped while loading the model: the model's file is corrupted or incomplete. Its last output: data is not "
                + "within the file bounds, model is corrupted or incomplete. Remove the model and pull it again."
        ),
        (
            .code(1), "error loading model architecture: unknown model architecture: 'lambs'",
            "x stopped while loading the model: failed to load model: this engine does not know the model's architecture"
        ),
    ])
    func meaning(exit: ChildExit, output: String, expected: String) {
        var tail = LogTail()
        tail.append(ByteBuffer(string: output))
        let failure = ExitReport(name: "x", exit: exit, wasReady: false, tail: tail).failure
        #expect(failure.description.hasPrefix(expected), "\(failure)")
    }

    @Test(arguments: [
        (ChildExit.signal(9), "", Failure.Code.resourceExhausted), (.code(1), "std::bad_alloc", .resourceExhausted),
        (.code(1), "invalid magic characters", .corrupted), (.code(1), "error loading model", .internalError),
    ])
    func whatMayBeTriedAgain(exit: ChildExit, output: String, code: Failure.Code) {
        var tail = LogTail()
        tail.append(ByteBuffer(string: output))
        #expect(ExitReport(name: "x", exit: exit, wasReady: false, tail: tail).failure.code == code)
    }

    @Test(arguments: [
        ("load_tensors: AMX model buffer size = 9 MiB", "with -- --no-repack"), ("", "needs AVX2"),
    ])
    func anInstructionThatIsMissing(output: String, advice: String) {
        var tail = LogTail()
        tail.append(ByteBuffer(string: output))
        let failure = ExitReport(name: "x", exit: .signal(4), wasReady: true, tail: tail).failure
        #expect(failure.advice?.contains(advice) == true, "\(failure)")
    }

    @Test func sayWhenItHadBeenReady() {
        let failure = ExitReport(name: "x", exit: .code(0), wasReady: true, tail: LogTail()).failure
        #expect(failure.description == "x terminated unexpectedly: exit code 0")
    }
}

@Suite struct InstallerPartsTests {
    @Test func cpuFeatures() {
        #expect(CPUFeatures.missing(cpuinfo: "model : x\nflags\t: fpu avx2 fma f16c bmi2 sse\n") == [])
        #expect(CPUFeatures.missing(cpuinfo: "flags : fpu avx fma\n") == ["avx2", "f16c", "bmi2"])
        #expect(CPUFeatures.missing(cpuinfo: "Features : neon\n") == [])
    }

    @Test func pythonAnswers() {
        #expect(Python.Answer("3 11\n")?.isNewEnough == true)
        #expect(Python.Answer("3 9 ensurepip")?.isNewEnough == false)
        #expect(Python.Answer("3 12 ensurepip")?.missing == ["ensurepip"])
        #expect(Python.Answer("hello") == nil)
    }

    /// A folder with a `python3` that does this.
    private func python(_ script: String, _ body: (FilePath) async throws -> Void) async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-python-")
        defer { try? Files.remove(folder) }
        try Files.write(ByteBuffer(string: "#!/bin/sh\n\(script)\n"), to: folder.appending("python3"), mode: 0o755)
        try await body(folder)
    }

    @Test(arguments: [
        ("echo broken >&2; exit 3", "FOLDER/python3 failed with exit code 3: broken"),
        ("echo hello", "FOLDER/python3 does not answer as Python does"),
        ("echo 3 9", "FOLDER/python3 is 3.9, the engine needs Python 3.10 or later"),
        ("echo 3 12 ensurepip", "python3-venv is missing"),
    ])
    func aPythonThatDoesNotDoIsNamed(_ script: String, _ message: String) async throws {
        try await python(script) { folder in
            let failure = await #expect(throws: Failure.self) {
                try await Python.find(environment: ["PATH": folder.string])
            }
            #expect(failure?.message == message.replacing("FOLDER", with: folder.string))
        }
    }

    @Test func anInstallationThatFailsLeavesNothing() async throws {
        let script = """
            case "$*" in
                *"-m venv"*) mkdir -p "$4/lib"; echo half >"$4/lib/file"; echo "pip has no words for it" >&2; exit 1 ;;
                *) echo 3 12 ;;
            esac
            """
        try await python(script) { folder in
            let paths = Paths(environment: ["HOME": folder.string, "PATH": "\(folder):/usr/bin:/bin"])
            let installer = EngineInstaller(paths: paths)
            let failure = await #expect(throws: Failure.self) { try await installer.install { _ in } }
            #expect(
                failure?.description.hasPrefix(
                    "cannot make the engine's Python environment: \(folder)/python3 failed with exit code 1: pip has no"
                )
                    == true, "\(failure as Any)")
            #expect(!Files.exists(LlamaServer.home(paths).appending("venv")))
            let wasThere = try installer.uninstall()
            #expect(!wasThere)
        }
    }

    @Test(arguments: [(1 << 20, true), (1 << 40, false), (nil, false)] as [(Int64?, Bool)])
    func aFullDiskIsNamed(_ free: Int64?, _ isNamed: Bool) {
        let failure = Failure(.internalError, "it failed", advice: "Try again.")
        let shown = Failure.text(of: EngineInstaller.explain(failure, free: free, in: "/f"))
        #expect(
            shown
                == (isNamed
                    ? "it failed. Only 1.05MB are free in /f, about 268.44MB are needed." : "it failed. Try again."))
        #expect(EngineInstaller.explain(CancellationError(), free: free, in: "/f") is CancellationError)
        #expect(POSIX.freeSpace(at: "/tmp") != nil)
        #expect(POSIX.freeSpace(at: "/nowhere/at/all") == nil)
    }

    @Test func trampolineRequests() {
        let words = ChildTrampoline.arguments(program: "/bin/x", arguments: ["-a", "--", "b"])
        #expect(words.first == ChildTrampoline.subcommand)
        let request = ChildTrampoline.Request(Array(words.dropFirst()))
        #expect(request?.parent == POSIX.processID)
        #expect(request?.program == "/bin/x")
        #expect(request?.arguments == ["-a", "--", "b"])
        for bad in [
            [], ["1"], ["1", "--"], ["x", "--", "/a"], ["1", "/a", "b"], ["0", "--", "/a"], ["1", "--", ""],
        ] {
            #expect(ChildTrampoline.Request(bad) == nil, "\(bad)")
        }
    }

    @Test(arguments: [
        (BackendStatus.running("llama.cpp 1"), "Running: llama.cpp 1"), (.notInstalled(nil), "Not Installed"),
        (.notInstalled("why"), "Not Installed: why"), (.installing, "Installing"), (.error("e"), "Error: e"),
    ])
    func statusTexts(status: BackendStatus, text: String) { #expect(status.description == text) }
}
