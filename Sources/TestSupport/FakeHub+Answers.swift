internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization

extension FakeHub {
    func answer(_ request: Hummingbird.Request) -> Response {
        let path = request.uri.path
        let query = request.uri.query.map { "?\($0)" } ?? ""
        let host = request.head.authority ?? ""
        let token = request.headers[.authorization]
        let (fault, wanted, fixed) = state.withLock { state in
            state.requests.append(
                Request(path: path + query, host: host, token: token, range: request.headers[.range]))
            return (state.faults.first { path.contains($0.key) }?.value, state.token, state.answers[path])
        }
        let parts = path.split(separator: "/").map { $0.removingPercentEncoding }
        // Storage knows nothing of tokens: what it sends is named by an address nobody can guess.
        if parts.first == "storage" { return storage(parts, request, fault) }
        if case .status(let status, let code) = fault { return refusal(status, code) }
        if case .html = fault { return page() }
        if let wanted, token != "Bearer \(wanted)" { return refusal(401, "RepoNotFound") }
        if let fixed { return json(fixed) }
        switch parts.count {
        case 6 where parts[0] == "api" && parts[4] == "revision": return revision(parts)
        case 6 where parts[0] == "api" && parts[4] == "tree": return tree(parts, request, fault)
        case 5... where parts[2] == "resolve": return resolve(parts, fault)
        default: return refusal(404, "RepoNotFound")
        }
    }

    private func revision(_ parts: [String]) -> Response {
        let repository = "\(parts[2])/\(parts[3])".lowercased()
        let (commit, isThere, extra) = state.withLock { state in
            (
                state.revisions["\(repository) \(parts[5])"],
                state.revisions.keys.contains { $0.hasPrefix("\(repository) ") }, state.extras[repository] ?? ""
            )
        }
        guard let commit else { return refusal(404, isThere ? "RevisionNotFound" : "RepoNotFound") }
        return json(
            "{\"id\":\"\(parts[2])/\(parts[3])\",\"sha\":\"\(commit)\",\"lastModified\":\"2026-01-02T03:04:05.000Z\"\(extra)}"
        )
    }

    private func tree(_ parts: [String], _ request: Hummingbird.Request, _ fault: Fault?) -> Response {
        let repository = "\(parts[2])/\(parts[3])".lowercased()
        guard let files = state.withLock({ $0.files["\(repository) \(parts[5])"] }) else {
            return refusal(404, "RevisionNotFound")
        }
        let start = request.uri.queryParameters["cursor"].flatMap { Int($0) } ?? 0
        let entries = files.sorted { $0.key < $1.key }.map { path, file in
            let size = file.bytes.readableBytes
            let head = "{\"type\":\"file\",\"oid\":\"\(Self.gitID(file.bytes))\",\"path\":\"\(path)\",\"size\":\(size)"
            guard file.isLarge else { return head + "}" }
            let hex = FakeRegistry.digest(file.bytes).dropFirst(7)
            return head + ",\"lfs\":{\"oid\":\"\(hex)\",\"size\":\(size),\"pointerSize\":134}}"
        }
        var page = Array(entries.dropFirst(start).prefix(Self.pageSize))
        if start == 0 { page.append("{\"type\":\"directory\",\"oid\":\"\",\"path\":\"folder\",\"size\":0}") }
        var response = json("[\(page.joined(separator: ","))]")
        var next = start + Self.pageSize < entries.count ? start + Self.pageSize : nil
        if case .endlessPages = fault {
            response = json("[]")
            next = start + 1
        }
        if let next {
            let base = if case .foreignPage = fault { "http://localhost:\(port)" } else { endpoint }
            response.headers[Self.link] = "<\(base)\(request.uri.path)?recursive=true&cursor=\(next)>; rel=\"next\""
        }
        return response
    }

    private func resolve(_ parts: [String], _ fault: Fault?) -> Response {
        let key = "\(parts[0])/\(parts[1])".lowercased() + " \(parts[3])"
        let path = parts.dropFirst(4).joined(separator: "/")
        guard let file = state.withLock({ $0.files[key]?[path] }) else { return refusal(404, "EntryNotFound") }
        guard file.isLarge else { return bytes(file.bytes, nil, fault) }
        let hex = FakeRegistry.digest(file.bytes).dropFirst(7)
        return Response(
            status: .found, headers: [.location: "http://localhost:\(port)/storage/\(hex)?X-Amz-Signature=s3cret"])
    }

    private func storage(_ parts: [String], _ request: Hummingbird.Request, _ fault: Fault?) -> Response {
        let all = state.withLock { $0.files.values.flatMap(\.values) }
        guard let file = all.first(where: { FakeRegistry.digest($0.bytes) == "sha256:\(parts.last ?? "")" }) else {
            return refusal(403, "")
        }
        let start = request.headers[.range].flatMap { Int($0.dropFirst("bytes=".count).prefix { $0 != "-" }) }
        return bytes(file.bytes, start, fault)
    }

    private func bytes(_ whole: ByteBuffer, _ start: Int?, _ fault: Fault?) -> Response {
        var bytes = whole.getSlice(at: start ?? 0, length: whole.readableBytes - (start ?? 0)) ?? ByteBuffer()
        let count = bytes.readableBytes
        var headers: HTTPFields = [.contentType: "application/octet-stream"]
        if let start { headers[.contentRange] = "bytes \(start)-\(whole.readableBytes - 1)/\(whole.readableBytes)" }
        let status: HTTPResponse.Status = start == nil ? .ok : .partialContent
        switch fault {
        case .corrupted:
            let place = bytes.readerIndex + count / 2
            bytes.setInteger(~(bytes.getInteger(at: place, as: UInt8.self) ?? 0), at: place)
        case .truncated:
            let half = bytes.getSlice(at: bytes.readerIndex, length: count / 2) ?? ByteBuffer()
            return Response(
                status: status, headers: headers,
                body: .init(contentLength: count) { writer in
                    try await writer.write(half)
                    throw BrokenOff()
                })
        case .held(let promise):
            let half = bytes.readSlice(length: count / 2) ?? ByteBuffer()
            let rest = bytes
            return Response(
                status: status, headers: headers,
                body: .init(contentLength: count) { writer in
                    try await writer.write(half)
                    try await promise.value
                    try await writer.write(rest)
                    try await writer.finish(nil)
                })
        default: break
        }
        return Response(status: status, headers: headers, body: .init(byteBuffer: bytes))
    }

    private func json(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private func page() -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/html"],
            body: .init(byteBuffer: ByteBuffer(string: "<!DOCTYPE html><html>Sign in</html>")))
    }

    private func refusal(_ status: Int, _ code: String) -> Response {
        var response = json("{\"error\":\"told so\"}")
        response.status = .init(code: status)
        if !code.isEmpty { response.headers[Self.errorCode] = code }
        if status == 429 { response.headers[.retryAfter] = "17" }
        return response
    }

    private static let link = HTTPField.Name("Link") ?? .eTag
    private static let errorCode = HTTPField.Name("X-Error-Code") ?? .eTag

    private struct BrokenOff: Error {}
}

extension Substring {
    /// Without percent escapes.
    fileprivate var removingPercentEncoding: String {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
