internal import Core
package import NIOCore

/// What a Modelfile says, in Ollama's grammar: an instruction a line, in any case; `#` begins a comment line; a value is
/// the rest of the line, or a text in `"` or `"""` which may go on over lines.
package struct Modelfile: Sendable, Hashable {
    package struct Value: Sendable, Hashable {
        /// The line its instruction is on, from 1.
        package let line: Int
        package let text: String
    }

    /// Files or models; the first one is the model itself.
    package private(set) var sources: [Value] = []
    package private(set) var adapters: [Value] = []
    package private(set) var licences: [Value] = []
    package private(set) var template: Value?
    package private(set) var system: Value?
    package private(set) var parameters = ModelParameters()
    package private(set) var messages: [Customization.Message] = []

    package static let maximumBytes = 4 << 20

    /// - Throws: `.invalidArgument` naming the line that makes no sense.
    package init(parsing bytes: ByteBuffer) throws {
        guard bytes.readableBytes <= Self.maximumBytes else {
            throw Failure(.resourceExhausted, "a Modelfile may have \(ByteCount(Self.maximumBytes))")
        }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw Failure(.invalidArgument, "the Modelfile is not UTF-8")
        }
        var reader = ModelfileReader(text)
        while let instruction = try reader.next() { try take(instruction) }
        guard !sources.isEmpty else {
            throw Failure(
                .invalidArgument, "the Modelfile has no FROM", advice: "Name the model or the GGUF file it begins with")
        }
    }

    private mutating func take(_ instruction: ModelfileReader.Instruction) throws {
        let (line, name) = (instruction.line, instruction.name)
        let value = Value(line: line, text: instruction.value)
        func required() throws -> Value {
            guard !value.text.allSatisfy(\.isWhitespace) else {
                throw Self.failure(line, "\(name.uppercased()) needs a value")
            }
            return value
        }
        switch name {
        case "from": sources.append(try required())
        case "adapter": adapters.append(try required())
        case "license": licences.append(try required())
        case "template": template = value
        case "system": system = value
        case "parameter":
            let (name, rest) = try instruction.split("a parameter's name and its value")
            do { try parameters.set(name, to: rest) } catch let failure as Failure {
                throw Failure(.invalidArgument, "Modelfile line \(line): \(failure.message)", advice: failure.advice)
            }
        case "message":
            let (role, text) = try instruction.split("a role and what it says")
            guard Customization.roles.contains(role.lowercased()) else {
                throw Self.failure(
                    line, "unknown role \(JSON.quoted(String(role.prefix(60))))", "Known are system, user and assistant"
                )
            }
            guard messages.count < Customization.maximumMessages else {
                throw Self.failure(line, "more than \(Customization.maximumMessages) messages")
            }
            messages.append(.init(role: role.lowercased(), content: text))
        default:
            throw Self.failure(
                line, "unknown instruction \(JSON.quoted(String(name.prefix(60)).uppercased()))",
                "Known are FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE and MESSAGE")
        }
    }

    static func failure(_ line: Int, _ message: String, _ advice: String? = nil) -> Failure {
        Failure(.invalidArgument, "Modelfile line \(line): \(message)", advice: advice)
    }
}
