internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Synchronization

extension FakeRegistry {
    func answer(_ request: Request) async throws -> Response {
        let response = try await judge(request)
        // An answer to HEAD has no bytes, whatever it says of them.
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func judge(_ request: Request) async throws -> Response {
        let path = request.uri.path
        let fault = state.withLock { state in
            state.requests.append("\(request.method.rawValue) \(path)")
            return state.faults.first { path.hasSuffix($0.key) }?.value
        }
        if path == "/token" { return token(request) }
        if let refusal = demandToken(request) { return refusal }
        if case .status(let code) = fault { return Response(status: .init(code: code)) }
        if case .redirect(let target) = fault {
            return Response(status: .temporaryRedirect, headers: [.location: target])
        }
        let isRead = request.method == .get || request.method == .head
        let parts = path.split(separator: "/")
        guard parts.count >= 4, parts[0] == "v2" else { return error(.notFound, "NAME_UNKNOWN") }
        let name = String(parts[parts.count - 1])
        switch (parts[parts.count - 2], isRead) {
        case ("blobs", true): return blob(name, fault, head: request.method == .head)
        case ("manifests", true):
            return manifest(parts[1..<(parts.count - 2)].joined(separator: "/"), name, fault)
        case ("manifests", false):
            return try await put(request, parts[1..<(parts.count - 2)].joined(separator: "/"), name)
        case ("blobs", false): return startUpload(path)
        case ("uploads", false): return try await finishUpload(request)
        default: return error(.notFound, "NAME_UNKNOWN")
        }
    }

    private func blob(_ digest: String, _ fault: Fault?, head: Bool) -> Response {
        guard var bytes = state.withLock({ $0.blobs[digest] }) else { return error(.notFound, "BLOB_UNKNOWN") }
        let headers: HTTPFields = [.contentType: "application/octet-stream"]
        if head {
            return Response(status: .ok, headers: headers, body: .init(contentLength: bytes.readableBytes) { _ in })
        }
        let count = bytes.readableBytes
        switch fault {
        case .html: return page()
        case .corrupted:
            bytes.setInteger(~(bytes.getInteger(at: count / 2, as: UInt8.self) ?? 0), at: count / 2)
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: bytes))
        case .truncated:
            let half = bytes.getSlice(at: 0, length: count / 2) ?? ByteBuffer()
            return Response(
                status: .ok, headers: headers,
                body: .init(contentLength: count) { writer in
                    try await writer.write(half)
                    throw BrokenOff()
                })
        case .endless:
            let whole = bytes
            return Response(
                status: .ok, headers: headers,
                body: .init { writer in
                    // Bounded all the same, so that a client which does not stop fails its test instead of hanging it.
                    for _ in 0..<1000 { try await writer.write(whole) }
                    try await writer.finish(nil)
                })
        default: return Response(status: .ok, headers: headers, body: .init(byteBuffer: bytes))
        }
    }

    private func manifest(_ repository: String, _ target: String, _ fault: Fault?) -> Response {
        if case .html = fault { return page() }
        if case .unfinished = fault {
            return Response(
                status: .ok,
                body: .init { writer in
                    try await writer.write(ByteBuffer(string: "{"))
                    try await Task.sleep(for: .seconds(3600))
                })
        }
        guard let bytes = state.withLock({ $0.manifests["\(repository)/\(target)"] }) else {
            return error(.notFound, "MANIFEST_UNKNOWN")
        }
        var headers: HTTPFields = [.contentType: "application/vnd.oci.image.manifest.v1+json"]
        headers[Self.contentDigest] = Self.digest(bytes)
        if case .digestHeader(let digest) = fault { headers[Self.contentDigest] = digest }
        if case .corrupted = fault {
            return Response(
                status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: "{\"schemaVersion\":2}")))
        }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: bytes))
    }

    private func put(_ request: Request, _ repository: String, _ tag: String) async throws -> Response {
        let bytes = try await request.body.collect(upTo: 4 << 20)
        add(manifest: bytes, repository: repository, tag: tag)
        return Response(status: .created, headers: [Self.contentDigest: Self.digest(bytes)])
    }

    private func startUpload(_ path: String) -> Response {
        let number = state.withLock { state in
            state.uploads += 1
            return state.uploads
        }
        let base = path.hasSuffix("/") ? String(path.dropLast()) : path
        return Response(status: .accepted, headers: [.location: "\(base)/\(number)?state=\(number)"])
    }

    private func finishUpload(_ request: Request) async throws -> Response {
        let bytes = try await request.body.collect(upTo: 64 << 20)
        guard let wanted = request.uri.queryParameters["digest"], wanted == Self.digest(bytes) else {
            return error(.badRequest, "DIGEST_INVALID")
        }
        add(blob: bytes)
        return Response(status: .created)
    }

    private func token(_ request: Request) -> Response {
        guard let token = state.withLock({ $0.token }), request.uri.queryParameters["scope"] != nil else {
            return Response(status: .notFound)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: "{\"token\":\"\(token)\",\"expires_in\":300}")))
    }

    private func demandToken(_ request: Request) -> Response? {
        let (token, realm) = state.withLock { ($0.token, $0.realm) }
        guard let token, let realm, request.headers[.authorization] != "Bearer \(token)" else { return nil }
        var response = error(.unauthorized, "UNAUTHORIZED")
        response.headers[.wwwAuthenticate] = "Bearer realm=\"\(realm)\",service=\"fake\",scope=\"repository:x:pull\""
        return response
    }

    private func page() -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: "<!DOCTYPE html><html>Welcome</html>")))
    }

    private func error(_ status: HTTPResponse.Status, _ code: String) -> Response {
        let text = "{\"errors\":[{\"code\":\"\(code)\",\"message\":\"told so\"}]}"
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private static let contentDigest = HTTPField.Name("Docker-Content-Digest") ?? .eTag

    private struct BrokenOff: Error {}
}
