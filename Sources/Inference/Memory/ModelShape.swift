/// What of a GGUF model's metadata decides how much memory it takes beside its weights.
package struct ModelShape: Sendable, Hashable {
    /// Bytes of all its files.
    package var weights: Int64
    package var layers: Int64
    /// Heads that keep keys and values, of all layers together.
    package var cacheHeads: Int64
    package var keyLength: Int64
    package var valueLength: Int64
    package var embedding: Int64
    package var vocabulary: Int64
    /// Tokens that layers with a sliding window look back, and the share of the layers that do; none without.
    package var window: Int64
    package var windowedShare: Double
    /// Whether the engine makes a second copy of the weights in an order that suits the CPU.
    package var isRepacked: Bool

    /// Every how many layers one looks at everything, where the file does not say: by architecture.
    private static let patterns: [String: Double] = [
        "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "exaone4": 4,
    ]

    /// - Parameters:
    ///   - metadata: a GGUF file's, as texts. Nothing in it is believed that would be absurd.
    ///   - weights: bytes of the model's files.
    package init(metadata: [String: String], weights: Int64, quantization: String) {
        let architecture = metadata["general.architecture"] ?? ""
        func number(_ name: String, _ limit: Int64) -> Int64? {
            metadata["\(architecture).\(name)"].flatMap { Int64($0) }.flatMap { (1...limit).contains($0) ? $0 : nil }
        }
        self.weights = max(0, weights)
        let layers = number("block_count", 4096) ?? 32
        let embedding = number("embedding_length", 1 << 20) ?? 4096
        let heads = number("attention.head_count", 4096) ?? max(1, embedding / 128)
        // One number for all layers, or one for each.
        let list = (metadata["\(architecture).attention.head_count_kv"] ?? "").split(separator: ",")
            .compactMap { text in
                Int64(text.trimmingPrefix { $0 == " " }).flatMap { (0...4096).contains($0) ? $0 : nil }
            }
        switch list.count {
        case 0: cacheHeads = layers * heads
        case 1: cacheHeads = layers * list[0]
        default: cacheHeads = list.reduce(0, +)
        }
        keyLength = number("attention.key_length", 1 << 16) ?? max(1, embedding / heads)
        valueLength = number("attention.value_length", 1 << 16) ?? max(1, embedding / heads)
        // An unknown vocabulary is a usual one, as far as its table would fit into the file.
        vocabulary = number("vocab_size", 1 << 22) ?? min(131_072, max(1, self.weights * 2 / embedding))
        window = number("attention.sliding_window", 1 << 24) ?? 0
        let pattern = number("attention.sliding_window_pattern", 4096).map(Double.init) ?? Self.patterns[architecture]
        windowedShare = window > 0 ? pattern.map { 1 - 1 / $0 } ?? 0 : 0
        isRepacked = quantization == "Q4_0" || quantization == "IQ4_NL"
        self.layers = layers
        self.embedding = embedding
    }
}
