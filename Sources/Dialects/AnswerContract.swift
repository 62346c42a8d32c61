internal import Core
internal import JSONSchema

/// What a request asked its answer to look like. An answer that does not is an error, not an answer.
struct AnswerContract: Sendable {
    private enum Form: Sendable {
        case any
        case object
        case schema(JSONSchema)
    }

    private let form: Form
    /// The parameters of tools that are to be called strictly.
    private let tools: [String: JSONSchema]

    /// Reads a chat completion's request.
    ///
    /// - Returns: nil where nothing is asked for.
    /// - Throws: `.invalidArgument` for schemas that cannot be checked.
    init?(format: JSON?, schema: JSON? = nil, tools: JSON?) throws {
        var form = Form.any
        if let schema, !schema.isNull {
            form = .schema(try JSONSchema(schema))
        } else if let format, !format.isNull {
            form = try Self.form(Fields(format, at: "response_format"))
        }
        var strict: [String: JSONSchema] = [:]
        for tool in tools?.array ?? [] {
            guard let function = tool["function"], function["strict"]?.bool == true,
                let name = function["name"]?.string, let parameters = function["parameters"]
            else { continue }
            strict[name] = try JSONSchema(parameters)
        }
        self.form = form
        self.tools = strict
        if case .any = form, strict.isEmpty { return nil }
    }

    private static func form(_ format: Fields) throws -> Form {
        switch try format.required("type", format.text("type")) {
        case "text": return .any
        case "json_object":
            // llama.cpp's own way to ask for a schema.
            return try format["schema"].map { .schema(try JSONSchema($0)) } ?? .object
        case "json_schema":
            let description = try format.required("json_schema", format.fields("json_schema"))
            let schema = try description.required("schema", description["schema"])
            return .schema(try JSONSchema(schema))
        case let type:
            throw Fields.wrong(
                format.path("type"),
                "must be text, json_object or json_schema, not \(JSON.quoted(String(type.prefix(40))))")
        }
    }

    /// Whether the answer is what was asked for. One that was cut off at its limit of tokens says so itself.
    ///
    /// - Throws: `.corrupted`.
    func check(_ answer: ChatAnswer) throws {
        if answer.finish == "length" { return }
        for call in answer.calls {
            guard let schema = tools[call.name] else { continue }
            try Self.check(call.arguments, schema, "the arguments of the tool call \(call.name)")
        }
        guard answer.calls.isEmpty else { return }
        switch form {
        case .any: return
        case .object:
            guard (try? JSON(parsing: answer.text))?.object != nil else {
                throw Self.broken("the model's answer", "it is no JSON object")
            }
        case .schema(let schema): try Self.check(answer.text, schema, "the model's answer")
        }
    }

    private static func check(_ text: String, _ schema: JSONSchema, _ what: String) throws {
        guard let json = try? JSON(parsing: text) else { throw broken(what, "it is no JSON") }
        if let mismatch = try schema.mismatch(json) { throw broken(what, mismatch) }
    }

    private static func broken(_ what: String, _ why: String) -> Failure {
        Failure(
            .corrupted, "\(what) does not match the schema that was asked for: \(why)",
            advice: "Ask again, or simplify the schema")
    }
}
