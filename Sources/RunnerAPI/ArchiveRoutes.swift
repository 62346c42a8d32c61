internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import ModelStore
internal import NIOCore
internal import OCI

/// Models as archives, in and out.
struct ArchiveRoutes: Sendable {
    let store: ModelStore
    let activity: Activity

    func load(_ request: Request, _ context: Context) async throws -> Response {
        let body = request.body
        let (model, tag) = try await context.whileConnected {
            do { return try await store.load(body) } catch let failure as Failure where failure.code == .corrupted {
                // Here it is the client who has sent them.
                throw Failure(.invalidArgument, failure.message, cause: failure.cause, advice: failure.advice)
            }
        }
        let line: JSON = [
            "type": "success", "message": "Model loaded successfully", "id": .string(model.id.description),
            "tag": tag.map { .string($0) } ?? .null,
        ]
        let isJSON = request.headers[.accept] == "application/json"
        let text = isJSON ? line.text : ProgressLine.escape(line.text)
        return Response(
            status: .ok, headers: [.contentType: isJSON ? "application/json" : "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }

    func export(_ name: String) throws -> Response {
        let archive = try store.archive(of: name)
        let use = activity.begin()
        // Names that have been found have no quotes, but an escape can bring one in before a name is looked for.
        let file = String(name.map { $0.isLetter || $0.isNumber || ".-_".contains($0) ? $0 : "_" })
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/x-tar", .contentDisposition: "attachment; filename=\"\(file).tar\"",
            ],
            body: ResponseBody(contentLength: Int(archive.size)) { writer in
                defer { withExtendedLifetime(use) {} }
                for try await chunk in archive { try await writer.write(chunk) }
                try await writer.finish(nil)
            })
    }
}
