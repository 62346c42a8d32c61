package import Core

/// An OpenAI-compatible server as data: which program, with which arguments, and how one sees that it is ready.
///
/// Nothing of it goes through a shell: every argument is one word, whatever is put into it.
package struct BackendDescription: Sendable, Hashable {
    /// Words, or words that are only there under a condition.
    package enum Argument: Sendable, Hashable {
        case word(Template)
        case group(Condition, [Template])
    }

    package enum Condition: String, Sendable, CaseIterable {
        case completion, embedding, reranking
        /// A context that somebody has asked for or configured.
        case context
        case slots
        case chatTemplate = "chat-template"
        case reasoningBudget = "reasoning-budget"
        case draft
        case draftTokens = "draft-tokens"
        case gpuMemoryUtilization = "gpu-memory-utilization"
        case hfOverrides = "hf-overrides"
    }

    /// A word with places that are filled in: `--port={port}`.
    package struct Template: Sendable, Hashable {
        package let text: String

        static let places: Set<String> = [
            "model", "name", "id", "socket", "port", "context", "slots", "chat-template", "reasoning-budget", "draft",
            "draft-tokens", "gpu-memory-utilization", "hf-overrides",
        ]

        /// - Throws: `.invalidArgument` for a place that is not known.
        init(_ text: String) throws {
            self.text = text
            _ = try fill { name in
                guard Self.places.contains(name) else {
                    throw Failure(.invalidArgument, "{\(name)} stands for nothing")
                }
                return ""
            }
        }

        /// The word with its places filled; nil when something for one of them is missing.
        func fill(_ value: (String) throws -> String?) rethrows -> String? {
            var result = ""
            var rest = text[...]
            while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
                guard let filled = try value(String(rest[rest.index(after: open)..<close])) else { return nil }
                result += rest[..<open] + filled
                rest = rest[rest.index(after: close)...]
            }
            return result + rest
        }
    }

    package var name: String
    /// A path, or a name that is looked for in `PATH`.
    package var program: String
    /// The variable that names the program or its folder instead.
    package var variable: String?
    package var arguments: [Argument]
    package var environment: [String: String] = [:]
    package var listening = BackendListening.loopbackPort
    package var readiness = "/health"
    package var formats: Set<String> = ["safetensors"]
    package var modes: Set<Load.Mode> = [.completion]
    /// Runtime flags that may be configured, separated by spaces.
    package var flags = ""
    /// The name that requests have to use; nil where any will do.
    package var servedName: Template?
    /// What it takes for each byte of weights, before that has been measured, and what whatever the model.
    package var memoryFactor = 1.2
    package var memoryBase: Int64 = 0

    static let maximumArguments = 128

    /// - Throws: `.invalidArgument`, saying what is wrong.
    package init(_ json: JSON) throws {
        func text(_ member: String) throws -> String? {
            guard let value = json[member] else { return nil }
            guard let text = value.string, !text.isEmpty, !text.utf8.contains(0) else {
                throw Failure(.invalidArgument, "\(member) must be a text")
            }
            return text
        }
        guard json.object != nil else { throw Failure(.invalidArgument, "it is no object") }
        let known: Set<String> = [
            "name", "program", "program-variable", "arguments", "environment", "listens", "readiness", "formats",
            "modes", "runtime-flags", "served-name", "memory",
        ]
        if let unknown = json.object?.members.first(where: { !known.contains($0.name) }) {
            throw Failure(.invalidArgument, "\(JSON.quoted(String(unknown.name.prefix(60)))) is no member of it")
        }
        guard let name = try text("name"), Self.isName(name) else {
            throw Failure(.invalidArgument, "name must be of up to 64 small letters, digits, dots, dashes")
        }
        guard let program = try text("program") else { throw Failure(.invalidArgument, "program is missing") }
        self.name = name
        self.program = program
        variable = try text("program-variable")
        let list = json["arguments"]?.array ?? []
        guard list.count <= Self.maximumArguments else {
            throw Failure(.invalidArgument, "more than \(Self.maximumArguments) arguments")
        }
        arguments = try list.map(Self.argument)
        for member in json["environment"]?.object?.members ?? [] {
            guard let value = member.value.string else {
                throw Failure(.invalidArgument, "environment must hold texts")
            }
            environment[member.name] = value
        }
        switch try text("listens") ?? "port" {
        case "socket": listening = .unixSocket
        case "port": listening = .loopbackPort
        default: throw Failure(.invalidArgument, "listens must be socket or port")
        }
        if let path = try text("readiness") {
            guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Failure(.invalidArgument, "readiness must be a path")
            }
            readiness = path
        }
        if let list = json["formats"]?.array { formats = Set(list.compactMap(\.string)) }
        if let list = json["modes"]?.array {
            modes = Set(list.compactMap { $0.string.flatMap(Load.Mode.init) })
            guard modes.count == list.count else {
                throw Failure(.invalidArgument, "modes must be of completion, embedding and reranking")
            }
        }
        flags = (json["runtime-flags"]?.array ?? []).compactMap(\.string).joined(separator: " ")
        servedName = try text("served-name").map { try Template($0) }
        if let memory = json["memory"] { try take(memory: memory) }
    }

    private mutating func take(memory: JSON) throws {
        if let factor = memory["factor"] {
            guard let value = factor.double, (0...100).contains(value) else {
                throw Failure(.invalidArgument, "memory.factor must be a number from 0 to 100")
            }
            memoryFactor = value
        }
        if let base = memory["base"] {
            guard let bytes = base.string.flatMap(MemoryBudget.bytes) else {
                throw Failure(.invalidArgument, "memory.base must be a size such as \"2GiB\"")
            }
            memoryBase = bytes
        }
        guard memory.object?.members.allSatisfy({ ["factor", "base"].contains($0.name) }) == true else {
            throw Failure(.invalidArgument, "memory must be an object of factor and base")
        }
    }

    private static func argument(_ json: JSON) throws -> Argument {
        if let word = json.string { return .word(try Template(word)) }
        guard let condition = json["when"]?.string.flatMap(Condition.init), let words = json["arguments"]?.array else {
            let names = Condition.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(
                .invalidArgument, "an argument must be a text, or {\"when\": CONDITION, \"arguments\": […]}",
                advice: "Conditions are \(names)")
        }
        return .group(
            condition,
            try words.map { word in
                guard let text = word.string else { throw Failure(.invalidArgument, "arguments must be texts") }
                return try Template(text)
            })
    }

    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 64 && text.first?.isLetter == true
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || [0x2D, 0x2E].contains(byte)
            }
    }
}
