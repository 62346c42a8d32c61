internal import Core
package import NIOCore

/// A request to `/score`, which compares texts in pairs, as the reranking that tells the same.
package struct ScoreRequest: Sendable {
    package let model: String
    private let body: JSON
    private let wishes: RunnerWishes

    /// - Throws: `.invalidArgument` for what is malformed; one text is compared with one or many.
    package init(_ bytes: ByteBuffer) throws {
        let json: JSON
        do { json = try JSON(parsing: bytes) } catch {
            throw Failure(.invalidArgument, "invalid request", cause: error)
        }
        let request = try Fields(json)
        model = try request.model()
        let (first, second) = (try Self.texts("text_1", request), try Self.texts("text_2", request))
        guard first.count == 1, let query = first.first else {
            throw Fields.wrong("text_1", "must be one text; compare several by several requests")
        }
        body = [
            "model": .string(model), "query": .string(query), "documents": .array(second.map { .string($0) }),
        ]
        wishes = RunnerWishes(keepAlive: request["keep_alive"])
    }

    private static func texts(_ name: String, _ request: Fields) throws -> [String] {
        let value = try request.required(name, request[name])
        let texts = try value.string.map { [$0] } ?? request.texts(name) ?? []
        guard !texts.isEmpty else { throw Fields.wrong(name, "is empty") }
        return texts
    }

    package func exchange(id: String, created: Int64) -> Exchange {
        Exchange(
            model: model, operation: .reranking, body: body.bytes,
            translation: Answer(id: id, created: created, model: model), wishes: wishes)
    }

    private struct Answer: Translation {
        let id: String
        let created: Int64
        let model: String

        var streamType: String { "application/json" }

        mutating func whole(_ answer: WholeAnswer) -> WholeAnswer {
            guard answer.status == 200 else { return answer.refused(for: .openAI) }
            do {
                let json = try JSON(parsing: answer.body)
                guard let results = json["results"]?.array else {
                    throw Failure(.corrupted, "the engine's answer has no results")
                }
                // Best first is how they come; in the order of the texts is how they are wanted.
                let scores = results.map { ($0["index"]?.int ?? 0, $0["relevance_score"] ?? $0["score"] ?? 0) }
                let data = scores.sorted { $0.0 < $1.0 }.map { index, score -> JSON in
                    ["index": .int(index), "object": "score", "score": score]
                }
                return WholeAnswer([
                    "id": .string(id), "object": "list", "created": .int(created), "model": .string(model),
                    "data": .array(data), "usage": json["usage"] ?? [:],
                ])
            } catch { return WholeAnswer(error, .openAI) }
        }

        mutating func part(_ bytes: ByteBuffer) throws -> ByteBuffer { bytes }
        mutating func end() throws -> ByteBuffer { ByteBuffer() }
        mutating func failure(_ failure: Failure) -> ByteBuffer {
            API.openAI.error(failure, status: failure.status).bytes
        }
    }
}
