package import Core
package import NIOCore

/// How a model wants to be run, in the words of Ollama's Modelfile: what is kept, and what of it is carried out.
package struct ModelParameters: Hashable, Sendable {
    /// Values as they were given, by name; `stop` is a list.
    private var values: [String: JSON] = [:]

    static let maximumValues = 256
    static let maximumStops = 16
    static let maximumStop = 1024

    private enum Domain {
        case whole(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case texts
        /// Known to Ollama; about the machine or about samplers that are not offered here.
        case kept
    }

    private static let domains: [String: Domain] = [
        "num_ctx": .whole(1...Int(Int32.max)), "num_predict": .whole(-2...Int(Int32.max)),
        "temperature": .number(0...10), "top_k": .whole(0...1_000_000), "top_p": .number(0...1),
        "min_p": .number(0...1), "typical_p": .number(0...1), "repeat_last_n": .whole(-1...1_000_000),
        "repeat_penalty": .number(0...10), "presence_penalty": .number(-10...10),
        "frequency_penalty": .number(-10...10), "seed": .whole(-1...Int(UInt32.max)), "stop": .texts,
        "num_keep": .kept, "num_gpu": .kept, "main_gpu": .kept, "num_thread": .kept, "num_batch": .kept,
        "num_gqa": .kept, "numa": .kept, "use_mmap": .kept, "use_mlock": .kept, "low_vram": .kept, "f16_kv": .kept,
        "vocab_only": .kept, "tfs_z": .kept, "mirostat": .kept, "mirostat_eta": .kept, "mirostat_tau": .kept,
        "penalize_newline": .kept, "logits_all": .kept, "embedding_only": .kept, "rope_frequency_base": .kept,
        "rope_frequency_scale": .kept, "draft_num_predict": .kept,
    ]

    package init() {}

    package var isEmpty: Bool { values.isEmpty }

    /// Reads a layer: one JSON object. What it holds need not make sense; `ignored` names what is not carried out.
    ///
    /// - Throws: `.corrupted` when it is no small JSON object.
    package init(parsing bytes: ByteBuffer) throws {
        guard let object = (try? JSON(parsing: bytes))?.object, object.members.count <= Self.maximumValues else {
            throw Failure(
                .corrupted, "the model's parameters are not a JSON object of up to \(Self.maximumValues) members")
        }
        values = Dictionary(object.members.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }

    /// The layer; equal parameters have equal bytes.
    package var json: JSON {
        .object(JSON.Object(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
    }

    /// Takes one value as a Modelfile has it; `stop` may come again and again.
    ///
    /// - Throws: `.invalidArgument` for an unknown name, or a value that it cannot have.
    package mutating func set(_ name: String, to text: String) throws {
        let name = name.lowercased()
        guard let domain = Self.domains[name] else {
            throw Failure(
                .invalidArgument, "unknown parameter \(JSON.quoted(String(name.prefix(60))))",
                advice: "Known are \(Self.domains.keys.sorted().joined(separator: ", "))")
        }
        let value: JSON
        switch domain {
        case .texts:
            let stops = values[name]?.array ?? []
            guard !text.isEmpty, text.utf8.count <= Self.maximumStop, stops.count < Self.maximumStops else {
                throw Failure(
                    .invalidArgument,
                    "stop takes up to \(Self.maximumStops) texts of up to \(Self.maximumStop) bytes")
            }
            value = .array(stops + [.string(text)])
        case .kept: value = Self.plain(text)
        case .whole, .number:
            value = Self.plain(text)
            guard Self.launchText(value, domain) != nil else {
                throw Failure(
                    .invalidArgument, "\(name) cannot be \(JSON.quoted(String(text.prefix(60))))",
                    advice: Self.expectation(domain))
            }
        }
        values[name] = value
    }

    /// All values of `other` on top of these.
    package func merging(_ other: ModelParameters) -> ModelParameters {
        var result = self
        result.values.merge(other.values) { $1 }
        return result
    }

    private static func plain(_ text: String) -> JSON {
        if text == "true" || text == "false" { return .bool(text == "true") }
        guard let number = try? JSON(parsing: text), number.double?.isFinite == true else { return .string(text) }
        return number
    }

    /// A number's plain text, where it is one and in its range.
    private static func launchText(_ value: JSON, _ domain: Domain) -> String? {
        switch domain {
        case .whole(let range): value.int.flatMap { range.contains($0) ? String($0) : nil }
        case .number(let range): value.double.flatMap { range.contains($0) ? String($0) : nil }
        case .texts, .kept: nil
        }
    }

    private static func expectation(_ domain: Domain) -> String? {
        switch domain {
        case .whole(let range): "Expected a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "Expected a number from \(range.lowerBound) to \(range.upperBound)"
        case .texts, .kept: nil
        }
    }
}

extension ModelParameters {
    /// Tokens to run with.
    package var contextSize: Int? {
        get { values["num_ctx"]?.int.flatMap { $0 > 0 && $0 <= Int(Int32.max) ? $0 : nil } }
        set { values["num_ctx"] = newValue.map { .int($0) } }
    }

    /// Texts that end an answer.
    package var stop: [String] {
        let texts = values["stop"]?.array?.compactMap(\.string) ?? values["stop"]?.string.map { [$0] } ?? []
        let fitting = texts.filter { !$0.isEmpty && $0.utf8.count <= Self.maximumStop }
        return Array(fitting.prefix(Self.maximumStops))
    }

    /// What an engine is started with: checked numbers as texts, by name. Without `num_ctx`.
    package var launch: [String: String] {
        var result: [String: String] = [:]
        for (name, value) in values where name != "num_ctx" {
            if let domain = Self.domains[name], let text = Self.launchText(value, domain) { result[name] = text }
        }
        return result
    }

    /// Names of what is kept but not carried out, sorted.
    package var ignored: [String] {
        var used = Set(launch.keys)
        if !stop.isEmpty { used.insert("stop") }
        if contextSize != nil { used.insert("num_ctx") }
        return values.keys.filter { !used.contains($0) }.sorted()
    }
}
