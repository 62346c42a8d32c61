internal import Core
package import NIOCore

/// A request to Ollama's `/api/embed`, or to the older `/api/embeddings`.
package struct OllamaEmbedding: Sendable {
    package let model: String
    package let wishes: RunnerWishes
    /// Nothing to embed: the model is only loaded.
    package let isEmpty: Bool
    private let isOld: Bool
    private let body: JSON

    package init(_ bytes: ByteBuffer, old: Bool) throws {
        let request = try OllamaRequest.fields(bytes)
        model = try request.model()
        wishes = try OllamaSettings(request).wishes
        isOld = old
        var input: JSON = []
        if old {
            input = .string(try request.text("prompt") ?? "")
        } else if let given = request["input"] {
            // A string, or a list of them.
            if given.string == nil { _ = try request.texts("input") }
            input = given
        }
        isEmpty = input == [] || input == ""
        var body = JSON.Object([("model", .string(model)), ("input", input), ("encoding_format", "float")])
        if let dimensions = try request.count("dimensions", atLeast: 1) { body["dimensions"] = .int(dimensions) }
        self.body = .object(body)
    }

    package func exchange(clock: OllamaClock) -> Exchange {
        Exchange(
            model: model, operation: .embedding, body: body.bytes,
            translation: Answer(model: model, isOld: isOld, clock: clock), wishes: wishes)
    }

    package func emptyAnswer() -> WholeAnswer {
        WholeAnswer(isOld ? ["embedding": []] : ["model": .string(model), "embeddings": []])
    }

    private struct Answer: Translation {
        let model: String
        let isOld: Bool
        let clock: OllamaClock
        var loading = Duration.zero

        init(model: String, isOld: Bool, clock: OllamaClock) {
            self.model = model
            self.isOld = isOld
            self.clock = clock
        }

        var streamType: String { "application/json" }

        mutating func loaded(in duration: Duration) { loading = duration }

        mutating func whole(_ answer: WholeAnswer) -> WholeAnswer {
            guard answer.status == 200 else { return answer.refused(for: .ollama) }
            do { return WholeAnswer(body: try translate(answer.body)) } catch {
                return WholeAnswer(error, .ollama)
            }
        }

        /// Numbers pass as they were written.
        private func translate(_ body: ByteBuffer) throws -> ByteBuffer {
            let answer = try RawJSON(checking: body)
            let vectors = try (answer["data"]?.elements() ?? []).compactMap { $0["embedding"] }
            guard let first = vectors.first, vectors.allSatisfy(\.isArray) else {
                throw Failure(.corrupted, "the engine's answer has no embeddings")
            }
            var out = ByteBuffer()
            if isOld {
                out.writeString("{\"embedding\":")
                out.writeImmutableBuffer(first.buffer)
                out.writeString("}")
                return out
            }
            out.writeString("{\"model\":\(JSON.quoted(model)),\"embeddings\":[")
            for (place, vector) in vectors.enumerated() {
                if place > 0 { out.writeString(",") }
                out.writeImmutableBuffer(vector.buffer)
            }
            let usage = try answer["usage"]?.parsed()
            out.writeString(
                "],\"total_duration\":\(clock.elapsed().nanoseconds),\"load_duration\":\(loading.nanoseconds),"
                    + "\"prompt_eval_count\":\(ChatUsage.count(usage?["prompt_tokens"]))}")
            return out
        }

        mutating func part(_ bytes: ByteBuffer) throws -> ByteBuffer { bytes }
        mutating func end() throws -> ByteBuffer { ByteBuffer() }
        mutating func failure(_ failure: Failure) -> ByteBuffer {
            ByteBuffer(string: API.ollama.error(failure, status: failure.status).text)
        }
    }
}
