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
            guard json.buffer.readableBytes <= 1024, let value = try? json.parsed() else { return nil }
            switch value {
            case .string, .number: text = value.text
            default: return nil
            }
        }

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
        if raw.isArray { throw .invalidRequest("batches are not accepted") }
        guard raw.isObject else { throw .invalidRequest("a message is a JSON object") }
        var members: [String: RawJSON] = [:]
        for (name, value) in raw.members() { members[name] = value }
        guard (try? members["jsonrpc"]?.parsed())?.string == "2.0" else {
            throw .invalidRequest("\"jsonrpc\" is not \"2.0\"")
        }
        let id = members["id"].flatMap(RPC.ID.init)
        if let name = members["method"] {
            guard let method = (try? name.parsed())?.string, method.utf8.count <= 256 else {
                throw .invalidRequest("\"method\" is not a string")
            }
            if let params = members["params"], !params.isObject {
                throw .invalidRequest("\"params\" is not an object")
            }
            if members["id"] == nil {
                self = .notification(RPC.Notification(method: method, params: members["params"]))
            } else if let id {
                self = .request(RPC.Request(id: id, method: method, params: members["params"]))
            } else {
                throw .invalidRequest("\"id\" is neither a string nor a number")
            }
        } else if let result = members["result"] {
            self = .response(RPC.Response(id: id, outcome: .success(result)))
        } else if let error = members["error"] {
            self = .response(RPC.Response(id: id, outcome: .failure(RPC.Error(error))))
        } else {
            throw .invalidRequest("neither a request, a notification nor a response")
        }
    }

    /// The message as one line of JSON, without the newline.
    package var bytes: ByteBuffer {
        var out = ByteBuffer()
        switch self {
        case .request(let request):
            out.writeString(#"{"jsonrpc":"2.0","id":\#(request.id.text),"method":\#(JSON.quoted(request.method))"#)
            Self.write(member: "params", request.params, to: &out)
        case .notification(let notification):
            out.writeString(#"{"jsonrpc":"2.0","method":\#(JSON.quoted(notification.method))"#)
            Self.write(member: "params", notification.params, to: &out)
        case .response(let response):
            out.writeString(#"{"jsonrpc":"2.0","id":\#(response.id?.text ?? "null")"#)
            switch response.outcome {
            case .success(let result): Self.write(member: "result", result, to: &out)
            case .failure(let error): Self.write(member: "error", RawJSON(error.json), to: &out)
            }
        }
        out.writeString("}")
        return out
    }

    private static func write(member: String, _ value: RawJSON?, to out: inout ByteBuffer) {
        guard let value else { return }
        out.writeString(",\"\(member)\":")
        // A peer may send pretty-printed values over HTTP; on a line-based wire a newline would end the message.
        if value.buffer.readableBytesView.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
            out.writeImmutableBuffer(((try? value.parsed()) ?? .null).bytes)
        } else {
            out.writeImmutableBuffer(value.buffer)
        }
    }
}
