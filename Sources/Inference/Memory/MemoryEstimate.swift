/// How much memory a runner will take, as a function of its context.
///
/// Weights, the cache of keys and values, the buffers of a batch, the engine itself: what llama.cpp allocates, counted
/// from the model's shape; then corrected by what was measured when this model ran before.
package struct MemoryEstimate: Sendable, Hashable {
    /// Bytes whatever the context.
    package var fixed: Int64
    /// Bytes for every token of context.
    package var perToken: Double
    /// Bytes for every token of context up to `window`.
    package var windowedPerToken: Double
    package var window: Int64
    /// Contexts that are kept side by side.
    package var slots: Int
    package var placement: Placement
    /// Whose memory weights and cache take.
    package enum Placement: Sendable, Hashable {
        case host
        case device
        /// A GPU's that has none of its own.
        case unified
    }

    /// Bytes that measurements add to it, or take off.
    package var correction: Int64 = 0

    /// Bytes of an engine that has loaded nothing: 36 MiB were measured with a model of 1 MiB.
    static let engine: Int64 = 32 << 20
    /// Tokens that are worked on at a time.
    static let batch: Int64 = 512
    private static let largestPromptCache: Int64 = 512 << 20
    /// Tokens of context where nobody knows how many it will be.
    static let unknownContext = 4096

    /// - Parameters:
    ///   - shapes: the model's, and those of what is loaded with it.
    ///   - cacheTypes: bytes of one value in the caches of keys and of values.
    init(
        _ shapes: [ModelShape], cacheTypes: (key: Double, value: Double) = (2, 2), slots: Int = 1,
        placement: Placement = .host, batch: Int64 = Self.batch
    ) {
        var (fixed, perToken, windowed, window) = (Self.engine, 0.0, 0.0, Int64(0))
        for shape in shapes {
            fixed += shape.weights * (shape.isRepacked && placement == .host ? 2 : 1)
            // Logits of a batch, and some rows as wide as the model while it is computed.
            fixed += batch * 4 * (shape.vocabulary + 12 * shape.embedding)
            let token =
                Double(shape.cacheHeads)
                * (Double(shape.keyLength) * cacheTypes.key + Double(shape.valueLength) * cacheTypes.value)
            perToken += token * (1 - shape.windowedShare) + Double(batch) * 6
            windowed += token * shape.windowedShare
            window = max(window, shape.window + batch)
        }
        self.fixed = fixed
        self.perToken = perToken
        windowedPerToken = windowed
        self.window = window
        self.slots = max(1, slots)
        self.placement = placement
    }

    /// A server of which nothing is known but how much of its memory is not weights.
    init(fixed: Int64, placement: Placement) {
        (self.fixed, perToken, windowedPerToken, window, slots) = (fixed, 0, 0, 0, 1)
        self.placement = placement
    }

    /// What a runner of this key would take.
    package init(_ shapes: [ModelShape], for key: Load.Key, placement: Placement = .host) {
        self.init(
            shapes, cacheTypes: Self.cacheTypes(key.configuration.runtimeFlags), slots: key.configuration.slots ?? 1,
            placement: placement, batch: key.mode == .completion ? Self.batch : 4 * Self.batch)
    }

    /// - Parameter context: tokens of each slot.
    package func bytes(context: Int?) -> Int64 { max(0, plain(context: context) + correction) }

    private func plain(context: Int?) -> Int64 { fixed + cache(context: context) + promptCache(context: context) }

    private func cache(context: Int?) -> Int64 {
        let tokens = Double((context ?? Self.unknownContext) * slots)
        let windowed = Double(min(Int64(context ?? Self.unknownContext), window) * Int64(slots))
        return Int64(min(1e17, tokens * perToken + windowed * windowedPerToken))
    }

    /// Bytes that the engine may take to keep prompts for the next time.
    package func promptCache(context: Int?) -> Int64 { min(Self.largestPromptCache, cache(context: context)) }

    package func memory(context: Int?) -> Memory {
        let bytes = bytes(context: context)
        let own = Self.engine + promptCache(context: context)
        return switch placement {
        case .host: Memory(host: bytes)
        case .device: Memory(host: own, device: max(0, bytes - own))
        case .unified: Memory(host: bytes, device: max(0, bytes - own))
        }
    }

    /// The same, corrected by what a run with this context has taken. Half of the plain estimate is the least that is
    /// believed: memory can be measured while part of a model has not been read yet.
    package func corrected(by run: MeasuredMemory.Run?) -> MemoryEstimate {
        guard let run, placement == .host else { return self }
        var result = self
        let plain = plain(context: run.context == 0 ? nil : run.context)
        result.correction = max(run.bytes, plain / 2) - plain
        return result
    }

    /// The types that a cache may have, by llama.cpp's names: bytes of a value.
    static let cacheTypes: [String: Double] = [
        "f32": 4, "f16": 2, "bf16": 2, "q8_0": 34.0 / 32, "q4_0": 18.0 / 32, "q4_1": 20.0 / 32, "iq4_nl": 18.0 / 32,
        "q5_0": 22.0 / 32, "q5_1": 24.0 / 32,
    ]

    /// What runtime flags say about the caches.
    static func cacheTypes(_ flags: [String]) -> (key: Double, value: Double) {
        func type(_ names: [String]) -> Double {
            var found: String?
            for (place, flag) in flags.enumerated() {
                let parts = flag.split(separator: "=", maxSplits: 1).map(String.init)
                guard let name = parts.first, names.contains(name) else { continue }
                found = parts.count > 1 ? parts[1] : place + 1 < flags.count ? flags[place + 1] : nil
            }
            return found.flatMap { cacheTypes[$0.lowercased()] } ?? 2
        }
        return (type(["-ctk", "--cache-type-k"]), type(["-ctv", "--cache-type-v"]))
    }
}
