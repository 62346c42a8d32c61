package import Core
package import NIOCore

/// JSON-RPC 2.0 as MCP uses it. Parameters and results stay the bytes they came in.
package enum RPC {
    /// A request's id with its JSON type kept: `1` and `"1"` are different ids.
    package struct ID: Hashable, Sendable, CustomStringConvertible {
        /// The id as JSON text.
        package let text: String

        package init(_ number: Int) { text = String(number) }

        /// - Returns: nil for anything but a string or a number, and for ids of unreasonable length.
        package init?(_ json: RawJSON) {
            guard json.buffer.readableBytes <= 1024, let first = json.buffer.readableBytesView.first else { return nil }
            switch first {
            case UInt8(ascii: "\""):
                // Two ways of writing one string are one id.
                let isPlain = !json.buffer.readableBytesView.contains(UInt8(ascii: "\\"))
                text = isPlain ? json.text : JSON.quoted(json.string ?? "")
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): text = json.text
            default: return nil
            }
        }

        /// The id as a value.
        package var json: RawJSON { (try? RawJSON(checking: ByteBuffer(string: text))) ?? RawJSON(.string(text)) }

        package var description: String { text }
    }

    package struct Request: Sendable {
        package let id: ID
        package let method: String
        package let params: RawJSON?

        package init(id: ID, method: String, params: RawJSON? = nil) {
            self.id = id
            self.method = method
            self.params = params
        }
    }

    package struct Notification: Sendable {
        package let method: String
        package let params: RawJSON?

        package init(method: String, params: RawJSON? = nil) {
            self.method = method
            self.params = params
        }
    }

    package struct Response: Sendable {
        /// Nil where the other side could not read the id of what it answers.
        package let id: ID?
        package let outcome: Result<RawJSON, RPC.Error>

        package init(id: ID?, outcome: Result<RawJSON, RPC.Error>) {
            self.id = id
            self.outcome = outcome
        }
    }

    package enum Message: Sendable {
        case request(Request)
        case notification(Notification)
        case response(Response)
    }
}

extension RPC.Message {
    /// Reads one message; only its top-level members are looked at.
    ///
    /// - Throws: `RPC.Error` with the code that answers it (−32700, −32600).
    package init(parsing buffer: ByteBuffer) throws(RPC.Error) {
        let raw: RawJSON
        do { raw = try RawJSON(checking: buffer) } catch { throw .parseError(Failure.text(of: error)) }
        try self.init(raw)
    }

    /// Reads one message from a value that has been checked.
    package init(_ raw: RawJSON) throws(RPC.Error) {
        if raw.isArray { throw .invalidRequest("batches are not accepted") }
        guard raw.isObject else { throw .invalidRequest("a message is a JSON object") }
        let members = raw.members(named: ["jsonrpc", "id", "method", "params", "result", "error"])
        guard members[0]?.string == "2.0" else { throw .invalidRequest("\"jsonrpc\" is not \"2.0\"") }
        let id = members[1].flatMap(RPC.ID.init)
        if let name = members[2] {
            guard let method = name.string, method.utf8.count <= 256 else {
                throw .invalidRequest("\"method\" is not a string")
            }
            let params = members[3]
            if let params, !params.isObject { throw .invalidRequest("\"params\" is not an object") }
            if members[1] == nil {
                self = .notification(RPC.Notification(method: method, params: params))
            } else if let id {
                self = .request(RPC.Request(id: id, method: method, params: params))
            } else {
                throw .invalidRequest("\"id\" is neither a string nor a number")
            }
        } else if let result = members[4] {
            self = .response(RPC.Response(id: id, outcome: .success(result)))
        } else if let error = members[5] {
            self = .response(RPC.Response(id: id, outcome: .failure(RPC.Error(error))))
        } else {
            throw .invalidRequest("neither a request, a notification nor a response")
        }
    }

    /// The message as one line of JSON, without the newline.
    package var bytes: ByteBuffer {
        switch self {
        case .request(let request):
            Self.line(
                "{\"jsonrpc\":\"2.0\",\"id\":\(request.id.text),\"method\":\(JSON.quoted(request.method))",
                request.params.map { ("params", $0) })
        case .notification(let notification):
            Self.line(
                "{\"jsonrpc\":\"2.0\",\"method\":\(JSON.quoted(notification.method))",
                notification.params.map { ("params", $0) })
        case .response(let response):
            switch response.outcome {
            case .success(let result):
                Self.line("{\"jsonrpc\":\"2.0\",\"id\":\(response.id?.text ?? "null")", ("result", result))
            case .failure(let error):
                Self.line("{\"jsonrpc\":\"2.0\",\"id\":\(response.id?.text ?? "null")", ("error", error.json))
            }
        }
    }

    private static func line(_ head: String, _ member: (name: StaticString, value: RawJSON)?) -> ByteBuffer {
        var out = ByteBuffer()
        // A peer may send pretty-printed values over HTTP; on a line-based wire a newline would end the message.
        let value = member?.value.onOneLine.buffer
        out.reserveCapacity(head.utf8.count + (value?.readableBytes ?? 0) + 16)
        out.writeString(head)
        if let member, let value {
            out.writeString(",\"")
            out.writeStaticString(member.name)
            out.writeString("\":")
            out.writeImmutableBuffer(value)
        }
        out.writeString("}")
        return out
    }
}
