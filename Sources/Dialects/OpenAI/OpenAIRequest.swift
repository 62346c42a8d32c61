internal import Core
package import NIOCore

/// A request in OpenAI's words, which engines speak too: it is looked at, and passes as it is.
package struct OpenAIRequest: Sendable {
    package let model: String
    private let members: [String: RawJSON]
    private let body: RawJSON

    /// - Throws: `.invalidArgument` for what is no JSON object, or names no model.
    package init(_ body: ByteBuffer) throws {
        do { self.body = try RawJSON(checking: body) } catch {
            throw Failure(.invalidArgument, "invalid request", cause: error)
        }
        guard self.body.isObject else { throw Failure(.invalidArgument, "invalid request: not a JSON object") }
        members = Dictionary(self.body.members().map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        guard let name = try members["model"]?.parsed().string, !name.isEmpty else {
            throw Failure(.invalidArgument, "model is required")
        }
        model = name
    }

    private func member(_ name: String) throws -> JSON? {
        guard let raw = members[name], raw.text != "null" else { return nil }
        return try raw.parsed()
    }

    /// - Throws: `.invalidArgument` for what no engine can answer, and for schemas that cannot be checked.
    package func exchange(_ operation: Exchange.Operation) throws -> Exchange {
        var translation: (any Translation)?
        switch operation {
        case .chat:
            try requireMessages()
            // Most requests ask for no form: then nothing more is read.
            let mayBeStrict = members["tools"]?.mentions("strict") ?? false
            if members["response_format"] != nil || members["json_schema"] != nil || mayBeStrict {
                let contract = try AnswerContract(
                    format: member("response_format"), schema: member("json_schema"),
                    tools: mayBeStrict ? member("tools") : nil)
                translation = contract.map { CheckedCompletion($0) }
            }
        case .completion: try require("prompt")
        case .embedding: try require("input", or: "content")
        case .reranking:
            try require("query")
            try require("documents", or: "texts")
        }
        return Exchange(
            model: model, operation: operation, body: body.buffer, translation: translation,
            wishes: try wishes)
    }

    package var wishes: RunnerWishes {
        get throws { RunnerWishes(keepAlive: try member("keep_alive")) }
    }

    private func requireMessages() throws {
        guard let messages = members["messages"] else { throw Failure(.invalidArgument, "messages is required") }
        guard messages.isArray else { throw Failure(.invalidArgument, "messages must be a list") }
        guard !messages.isEmptyArray else {
            throw Failure(.invalidArgument, "messages is empty: there must be at least one message")
        }
        if messages.mentions("image_url") { try Self.refuseAddresses(in: try messages.parsed()) }
    }

    /// llama.cpp fetches pictures from wherever a request says, this machine's own network included.
    private static func refuseAddresses(in messages: JSON) throws {
        for (index, message) in (messages.array ?? []).enumerated() {
            for (place, part) in (message["content"]?.array ?? []).enumerated() {
                guard let image = part["image_url"], let url = (image["url"] ?? image).string else { continue }
                guard url.hasPrefix("data:") else {
                    throw Fields.wrong(
                        "messages[\(index)].content[\(place)].image_url",
                        "must be a data: URL, nothing is fetched from elsewhere")
                }
            }
        }
    }

    private func require(_ name: String, or other: String? = nil) throws {
        if members[name] == nil, other.flatMap({ members[$0] }) == nil {
            throw Failure(.invalidArgument, "\(name) is required")
        }
    }
}

extension RawJSON {
    fileprivate var isEmptyArray: Bool {
        let inside = buffer.readableBytesView.dropFirst().first { byte in !" \n\r\t".utf8.contains(byte) }
        return isArray && inside == UInt8(ascii: "]")
    }

    /// Whether a word is somewhere in the text; quick, and good enough for a reason to look closer.
    fileprivate func mentions(_ word: StaticString) -> Bool {
        let word = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        return buffer.withUnsafeReadableBytes { bytes in
            var place = 0
            while place + word.count <= bytes.count {
                // One byte tells nearly always.
                if bytes[place] == word[0], bytes[place..<(place + word.count)].elementsEqual(word) { return true }
                place += 1
            }
            return false
        }
    }
}
