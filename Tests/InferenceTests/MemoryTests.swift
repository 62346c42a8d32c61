import Core
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite struct MemoryEstimateTests {
    /// Llama 3.1 8B at Q4_K_M: what its GGUF file says.
    static let llama: [String: String] = [
        "general.architecture": "llama", "llama.block_count": "32", "llama.embedding_length": "4096",
        "llama.attention.head_count": "32", "llama.attention.head_count_kv": "8", "llama.vocab_size": "128256",
        "llama.context_length": "131072",
    ]

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var metadata: [String: String] = MemoryEstimateTests.llama
        var weights: Int64 = 4_920_000_000
        var quantization = "Q4_K_M"
        var flags: [String] = []
        var slots = 1
        let context: Int
        /// MiB that llama.cpp says it allocates for such a model, with a tenth of room to either side.
        let expected: ClosedRange<Int64>
    }

    static let cases = [
        // 4692 of weights, 1024 of cache, 258 of buffers, and 512 for prompts that come again.
        Case(testDescription: "8B at 8192", context: 8192, expected: 6000...6900),
        // 16 GiB of cache.
        Case(testDescription: "8B at all it was made for", context: 131_072, expected: 21_000...23_000),
        Case(
            testDescription: "8B with a cache of q8_0", flags: ["--cache-type-k", "q8_0", "-ctv=q8_0"],
            context: 131_072,
            expected: 13_500...15_300),
        Case(testDescription: "four slots", slots: 4, context: 8192, expected: 9100...10_200),
        Case(
            testDescription: "a second copy of the weights", weights: 250_000_000, quantization: "Q4_0", context: 1024,
            expected: 950...1200),
        // Gemma 3 4B: five of six layers look back 1024 tokens; 131072 tokens take 2.7 GiB and not 17.
        Case(
            testDescription: "sliding windows",
            metadata: [
                "general.architecture": "gemma3", "gemma3.block_count": "34", "gemma3.embedding_length": "2560",
                "gemma3.attention.head_count": "8", "gemma3.attention.head_count_kv": "4",
                "gemma3.attention.key_length": "256", "gemma3.attention.value_length": "256",
                "gemma3.attention.sliding_window": "1024", "gemma3.vocab_size": "262208",
            ], weights: 2_490_000_000, context: 131_072, expected: 6100...7200),
        // Layers without attention have no heads.
        Case(
            testDescription: "heads of each layer",
            metadata: llama.merging(["llama.attention.head_count_kv": "8, 0, 8, 0"]) { $1 }, context: 131_072,
            expected: 6900...8200),
    ]

    @Test(arguments: cases) func estimate(_ test: Case) {
        let shape = ModelShape(metadata: test.metadata, weights: test.weights, quantization: test.quantization)
        let estimate = MemoryEstimate(
            [shape], cacheTypes: MemoryEstimate.cacheTypes(test.flags), slots: test.slots)
        #expect(test.expected.contains(estimate.bytes(context: test.context) >> 20), "\(estimate)")
    }

    /// Whatever a file claims, the estimate is a number that can be added up.
    @Test(arguments: ["0", "-1", "99999999999999999999", "4294967295", "", "x", "1, 2, 3"])
    func absurdValues(_ text: String) {
        var metadata = Self.llama
        for name in metadata.keys where name != "general.architecture" { metadata[name] = text }
        let shape = ModelShape(metadata: metadata, weights: .max / 16, quantization: "Q4_0")
        let bytes = MemoryEstimate([shape, shape]).bytes(context: Int(Int32.max))
        #expect(bytes > 0 && bytes < .max / 2)
        #expect(MemoryEstimate([ModelShape(metadata: [:], weights: 0, quantization: "")]).bytes(context: nil) > 0)
    }

    @Test func measurementsCorrectIt() {
        let estimate = MemoryEstimate([ModelShape(metadata: Self.llama, weights: 1 << 30, quantization: "")])
        let (plain, larger) = (estimate.bytes(context: 4096), estimate.bytes(context: 8192))
        let corrected = estimate.corrected(by: .init(context: 4096, bytes: plain + 1000))
        #expect(corrected.bytes(context: 4096) == plain + 1000)
        #expect(corrected.bytes(context: 8192) == larger + 1000)
        // A small model may fit into less than an engine was thought to take.
        let small = MemoryEstimate([
            ModelShape(
                metadata: ["general.architecture": "llama"], weights: 1 << 20,
                quantization: "")
        ])
        let measured = small.bytes(context: 0) / 2 + 1
        #expect(
            small.corrected(by: .init(context: 512, bytes: measured)).bytes(context: 512) < small.bytes(context: 512))
        // Weights that have not been touched yet are missing in a measurement.
        #expect(estimate.corrected(by: .init(context: 4096, bytes: 1)).bytes(context: 4096) == plain / 2)
    }

    @Test func whatIsOnTheDeviceIsNotOnTheHost() {
        let shape = ModelShape(metadata: Self.llama, weights: 1 << 30, quantization: "")
        let memory = MemoryEstimate([shape], placement: .device).memory(context: 4096)
        #expect(memory.host == MemoryEstimate.engine + 512 << 20 && memory.device > 1 << 30)
        #expect(memory.fits(in: memory) && !memory.fits(in: Memory(host: memory.host, device: memory.device - 1)))
        #expect(Memory.zero.fits(in: Memory(host: -5, device: -5)))
    }
}

@Suite struct MemoryBudgetTests {
    @Test(
        arguments: [
            ("8GB", 8_000_000_000), ("512MiB", 512 << 20), ("2g", 2 << 30), ("1.5 GiB", 3 << 29), ("1000", 1000),
            ("1kb", 1000),
        ] as [(String, Int64)])
    func sizes(text: String, bytes: Int64) throws {
        let budget = try MemoryBudget(setting: text, machine: 1)
        #expect(budget.total.host == bytes && !budget.followsAvailability)
    }

    @Test(arguments: ["", "much", "-1GB", "0", "1e3", "9999999999999999999GB", "GB"]) func noSizes(text: String) {
        #expect(throws: Failure.self) { try MemoryBudget(setting: text, machine: 1) }
    }

    @Test func theMachineDecidesWhereNobodyElseDoes() throws {
        let budget = try MemoryBudget(setting: nil, machine: 1000)
        #expect(budget.total.host == 850 && budget.followsAvailability)
        #expect(try MemoryBudget(setting: nil, machine: nil) == .unlimited)
        #expect(try MemoryBudget(setting: "Unlimited", machine: 5) == .unlimited)
    }
}

@Suite struct MeasuredMemoryTests {
    private func load(_ name: String, _ flags: [String] = []) -> Load {
        Load(
            backend: "b", modelID: name, modelName: name, files: .init(weights: "/m"),
            configuration: .init(runtimeFlags: flags))
    }

    @Test func lasts() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "measured-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("home/memory.json")
        let first = MeasuredMemory(path)
        first.note(100, of: load("a"), context: 4096)
        first.note(50, of: load("a"), context: 4096)
        first.note(10, of: load("b"), context: nil)
        let second = MeasuredMemory(path)
        #expect(second.run(of: load("a").key) == .init(context: 4096, bytes: 100))
        #expect(second.run(of: load("b").key) == .init(context: 0, bytes: 10))
        #expect(second.run(of: load("a", ["-ctk", "q8_0"]).key) == nil)
        second.note(60, of: load("a"), context: 2048)
        #expect(MeasuredMemory(path).run(of: load("a").key) == .init(context: 2048, bytes: 60))
    }

    @Test func isBoundedAndSurvivesNonsense() throws {
        let memory = MeasuredMemory(nil)
        for number in 0...MeasuredMemory.maximumRuns { memory.note(1, of: load("\(number)"), context: nil) }
        #expect(memory.run(of: load("0").key) == nil && memory.run(of: load("1").key) != nil)
        let folder = try Files.makeTemporaryDirectory(prefix: "measured-")
        defer { try? Files.remove(folder) }
        for text in ["", "[]", #"{"runs":[{"key":1},{"key":"x","context":-1,"bytes":1}]}"#] {
            try Files.write(ByteBuffer(string: text), to: folder.appending("m.json"))
            #expect(MeasuredMemory(folder.appending("m.json")).run(of: load("x").key) == nil)
        }
    }
}
