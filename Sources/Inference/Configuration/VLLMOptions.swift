internal import Core

/// What only vLLM understands.
package struct VLLMOptions: Sendable, Hashable {
    /// The share of a GPU's memory that it may take, 0…1.
    package var gpuMemoryUtilization: Double?
    /// Members of the model's own configuration that are replaced: a JSON object, as its text.
    package var overrides: String?

    package init(gpuMemoryUtilization: Double? = nil, overrides: String? = nil) {
        self.gpuMemoryUtilization = gpuMemoryUtilization
        self.overrides = overrides
    }

    /// - Throws: `.invalidArgument`.
    init(_ json: JSON) throws {
        guard let object = json.object else { throw Failure(.invalidArgument, "vllm must be an object") }
        if let share = object["gpu-memory-utilization"], !share.isNull {
            guard let value = share.double, (0...1).contains(value) else {
                throw Failure(.invalidArgument, "gpu-memory-utilization must be a number from 0 to 1")
            }
            gpuMemoryUtilization = value
        }
        if let given = object["hf-overrides"], !given.isNull {
            guard given.object != nil else { throw Failure(.invalidArgument, "hf-overrides must be a JSON object") }
            try Self.check(given)
            overrides = given.text
        }
    }

    /// Names become attributes in Python: only plain ones pass.
    private static func check(_ json: JSON) throws {
        for member in json.object?.members ?? [] {
            let first = member.name.utf8.first
            let isPlain =
                first.map { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
                && member.name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || Self.isAlphanumeric($0) }
            guard isPlain else {
                throw Failure(
                    .invalidArgument, "hf-overrides has the name \(JSON.quoted(String(member.name.prefix(60))))")
            }
            try check(member.value)
        }
        for element in json.array ?? [] { try check(element) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    var json: JSON {
        var object = JSON.Object()
        if let gpuMemoryUtilization { object["gpu-memory-utilization"] = .number(String(gpuMemoryUtilization)) }
        if let overrides, let json = try? JSON(parsing: overrides) { object["hf-overrides"] = json }
        return .object(object)
    }
}
