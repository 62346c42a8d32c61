internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import MCP
internal import NIOCore

/// A request that does not reach a session's server.
struct Refusal: Error {
    let status: HTTPResponse.Status
    let error: RPC.Error
    let id: RPC.ID?
    let headers: HTTPFields

    init(_ status: HTTPResponse.Status, _ error: RPC.Error, id: RPC.ID? = nil, headers: HTTPFields = [:]) {
        self.status = status
        self.error = error
        self.id = id
        self.headers = headers
    }

    static func method(_ allow: String) -> Refusal {
        Refusal(
            .methodNotAllowed, RPC.Error(code: -32000, message: "Method not allowed; use \(allow)"),
            headers: [.allow: allow])
    }

    static func unknownSession(_ id: RPC.ID? = nil) -> Refusal {
        Refusal(.notFound, RPC.Error(code: -32001, message: "Session not found; initialize a new one"), id: id)
    }

    /// To be tried again later.
    static func later(
        _ status: HTTPResponse.Status, _ message: String, after pause: Duration, id: RPC.ID? = nil
    ) -> Refusal {
        // In whole seconds; too early would be refused once more.
        let seconds = max(1, (pause.milliseconds + 999) / 1000)
        return Refusal(
            status, RPC.Error(code: -32000, message: message), id: id, headers: [.retryAfter: "\(seconds)"])
    }

    var response: Response {
        let message = RPC.Message.response(RPC.Response(id: id, outcome: .failure(error)))
        var response = Response.message(message.bytes, status)
        response.headers.append(contentsOf: headers)
        return response
    }
}

extension Response {
    static func text(_ text: String, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func message(_ bytes: ByteBuffer, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: bytes))
    }
}
