package import Core

/// A tool as its server describes it. Only the name is looked at; the description is passed on as it came.
package struct Tool: Sendable {
    package let name: String
    package let definition: RawJSON

    /// - Throws: `.invalidArgument` for a definition without a usable name.
    package init(_ definition: RawJSON) throws {
        guard let name = definition["name"]?.string, !name.isEmpty, name.utf8.count <= 256 else {
            throw Failure(.invalidArgument, "a tool without a usable name")
        }
        self.name = name
        self.definition = definition
    }

    package init(name: String, description: String, inputSchema: JSON, annotations: JSON? = nil) {
        self.name = name
        var object = JSON.Object([
            ("name", .string(name)), ("description", .string(description)), ("inputSchema", inputSchema),
        ])
        object["annotations"] = annotations
        definition = RawJSON(.object(object))
    }

    /// The same tool under another name; all else stays as the server wrote it.
    package func renamed(_ name: String) -> Tool {
        guard name != self.name else { return self }
        return Tool(name: name, definition: definition.replacing("name", with: RawJSON(.string(name))))
    }

    private init(name: String, definition: RawJSON) {
        self.name = name
        self.definition = definition
    }
}

/// What a tool gives back, for people and models: the text blocks of a `tools/call` result.
package struct ToolResult: Sendable {
    package let raw: RawJSON
    package let isError: Bool
    /// The text blocks, a line between each; other kinds of content are named in brackets.
    package let text: String

    package init(_ raw: RawJSON) {
        self.raw = raw
        let json = (try? raw.parsed()) ?? .null
        isError = json["isError"]?.bool ?? false
        text = (json["content"]?.array ?? []).map { block in
            block["text"]?.string ?? "[\(block["type"]?.string ?? "content")]"
        }.joined(separator: "\n")
    }

    package init(text: String, isError: Bool = false) {
        var object = JSON.Object([("content", [["type": "text", "text": .string(text)]])])
        if isError { object["isError"] = true }
        raw = RawJSON(.object(object))
        self.isError = isError
        self.text = text
    }
}
