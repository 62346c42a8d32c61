internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import ModelStore
internal import NIOCore
internal import OCI

/// What a relay has thrown and recorded already.
struct Observed: Error {
    let error: any Error
}

extension EngineCalls {
    /// Reads a request and answers it; what is refused before an engine is concerned is recorded here, everything else
    /// where it is relayed.
    func answering(
        _ request: Request, _ context: Context, _ respond: (ByteBuffer, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        var body = ByteBuffer()
        do {
            body = try await self.body(of: request)
            context.body = body
            return try await respond(body, context)
        } catch let observed as Observed {
            throw observed.error
        } catch {
            record(error, request, body)
            throw error
        }
    }

    private func record(_ error: any Error, _ request: Request, _ body: ByteBuffer) {
        let refusal: (status: Int, text: String)
        switch error {
        case is CancellationError: return
        case let failure as Failure: refusal = (failure.status, failure.description)
        case is NIOTooManyBytesError: refusal = (413, "the request is too large")
        default: refusal = (500, Failure.text(of: error))
        }
        let named = (try? RawJSON(checking: body))?["model"].flatMap { try? $0.parsed().string }
        let model = named.flatMap { try? store.model(named: $0) }
        relay.recorder.add(
            RequestRecord(
                id: Observation.nextID(), modelID: model?.id.description ?? "",
                model: model?.tags.first ?? String((named ?? "").prefix(200)), method: request.method.rawValue,
                url: request.uri.description, request: MediaTruncation.apply(to: body),
                timestamp: Timestamp.now.seconds, userAgent: request.headers[.userAgent],
                origin: request.headers[.origin], status: refusal.status, response: ByteBuffer(),
                error: refusal.text))
    }
}
