import Core
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite struct DeviceListTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let output: String
        let devices: [String]
        var total: Int64 = 0
        var rank: Int?
    }

    /// In the format in which llama-server lists devices. Only the first was printed by one; no GPU was there for the others.
    static let cases = [
        Case(testDescription: "CPU only", output: "Available devices:\n  (none)\n", devices: []),
        Case(
            testDescription: "CUDA",
            output: """
                ggml_cuda_init: GGML_CUDA_FORCE_MMQ:    no
                ggml_cuda_init: found 2 CUDA devices:
                  Device 0: NVIDIA GeForce RTX 3090, compute capability 8.6, VMM: yes
                  Device 1: NVIDIA GeForce RTX 3060, compute capability 8.6, VMM: yes
                Available devices:
                  CUDA0: NVIDIA GeForce RTX 3090 (24135 MiB, 23814 MiB free)
                  CUDA1: NVIDIA GeForce RTX 3060 (12037 MiB, 11900 MiB free)

                """, devices: ["CUDA0", "CUDA1"], total: 36172 << 20, rank: 0),
        Case(
            testDescription: "Vulkan, with brackets in the name",
            output: """
                ggml_vulkan: Found 1 Vulkan devices:
                ggml_vulkan: 0 = AMD Radeon RX 6800 (RADV NAVI21) (radv) | uma: 0 | fp16: 1 | warp size: 32
                Available devices:
                  Vulkan0: AMD Radeon RX 6800 (RADV NAVI21) (16368 MiB, 15900 MiB free)

                """, devices: ["Vulkan0"], total: 16368 << 20, rank: 8),
        Case(
            testDescription: "Metal, where BLAS has no memory",
            output: """
                load_backend: loaded BLAS backend
                Available devices:
                  Metal: Apple M2 Pro (21845 MiB, 21845 MiB free)
                  BLAS: Accelerate (0 MiB, 0 MiB free)

                """, devices: ["Metal"], total: 21845 << 20, rank: 3),
        Case(testDescription: "nothing of the kind", output: "error: unknown option --list-devices", devices: []),
        Case(
            testDescription: "nonsense",
            output:
                "Available devices:\n  : (x MiB, y MiB free)\n CUDA0 (1 MiB)\nCUDA0: x (99999999999 MiB, 1 MiB free)\n",
            devices: []),
    ]

    @Test(arguments: cases) func parsed(_ test: Case) {
        let list = DeviceList(parsing: test.output)
        #expect(list.devices.map(\.name) == test.devices)
        #expect(list.devices.reduce(0) { $0 + $1.total } == test.total)
        #expect(list.rank == test.rank)
    }

    @Test func unifiedMemoryIsKnown() {
        let list = DeviceList(parsing: Self.cases[3].output)
        #expect(list.devices.first?.isUnified == true && list.devices.first?.description == "Apple M2 Pro")
        #expect(DeviceList(parsing: Self.cases[1].output).devices.first?.isUnified == false)
    }
}

@Suite struct EngineBuildTests {
    private func withFolder(_ body: (FilePath) async throws -> Void) async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "builds-")
        defer { try? Files.remove(folder) }
        try await body(folder)
    }

    private func add(_ path: String, in folder: FilePath, devices: String) throws {
        let path = folder.appending(path)
        try Files.makeDirectory(path.removingLastComponent())
        let script = "#!/bin/sh\nprintf 'Available devices:\\n%s\\n' '\(devices)'\n"
        try Files.write(ByteBuffer(string: script), to: path, mode: 0o755)
    }

    @Test func theBuildWithTheBestDeviceIsRun() async throws {
        try await withFolder { folder in
            let paths = Paths(environment: ["HOME": folder.string, "PATH": "/usr/bin:/bin"])
            let home = ".docker/model-runner/llama.cpp"
            try add("\(home)/bin/llama-server", in: folder, devices: "  (none)")
            let server = LlamaServer(paths: paths)
            #expect(!server.mustPrepare)
            try add("\(home)/builds/cuda/llama-server", in: folder, devices: "  (none)")
            try add(
                "\(home)/builds/vulkan/bin/llama-server", in: folder, devices: "  Vulkan0: GPU (100 MiB, 90 MiB free)")
            #expect(server.mustPrepare)
            // Before anybody has looked, the installed one.
            #expect(try server.executable() == folder.appending("\(home)/bin/llama-server"))
            await server.prepare()
            #expect(try server.executable() == folder.appending("\(home)/builds/vulkan/bin/llama-server"))
            #expect(server.devices == BackendDevices(free: 90 << 20, isUnified: false))
            #expect(server.usesDevices(.init(runtimeFlags: ["-ngl", "10"])))
            for flags in [["-ngl", "0"], ["--gpu-layers=0"], ["--device", "none"]] {
                #expect(!server.usesDevices(.init(runtimeFlags: flags)))
            }
            // A driver was installed: the file is another one, and asked again.
            try add("\(home)/builds/cuda/llama-server", in: folder, devices: "  CUDA0: GPU (100 MiB, 50 MiB free)")
            await server.prepare()
            #expect(try server.executable() == folder.appending("\(home)/builds/cuda/llama-server"))
            // Somebody's own choice goes before all.
            try add("own/cpu/llama-server", in: folder, devices: "  (none)")
            var environment = paths.environment
            environment["LLAMA_SERVER_PATH"] = "\(folder)/own"
            #expect(
                try LlamaServer(paths: Paths(environment: environment)).executable()
                    == folder.appending("own/cpu/llama-server"))
        }
    }

    @Test(arguments: [
        ([("cpu", "  (none)")], [], "on the CPU: the system shows no GPU"),
        (
            [("cpu", "  (none)"), ("vulkan", "  (none)")], ["/dev/nvidia0"],
            "on the CPU: there is a GPU (/dev/nvidia0), but no build here can use it (tried: cpu, vulkan); "
                + "put a llama-server built for it into /b/cuda, rocm or vulkan"
        ),
        (
            [("cpu", "  (none)"), ("cuda", "  CUDA0: RTX (2048 MiB, 1 MiB free)")], ["/dev/nvidia0"],
            "on CUDA0 (RTX, 2.00GiB)"
        ),
    ])
    func whyItRunsWhereItRuns(_ builds: [(name: String, devices: String)], _ hardware: [String], _ text: String) {
        let report = DeviceReport(
            builds: builds.map { build in
                (
                    EngineBuilds.Build(name: build.name, program: "/x"),
                    DeviceList(parsing: "Available devices:\n\(build.devices)\n")
                )
            }, hardware: hardware, folder: "/b")
        #expect(report.text == text)
    }
}
