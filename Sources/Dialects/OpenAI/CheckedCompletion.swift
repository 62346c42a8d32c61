internal import Core
internal import NIOCore

/// Passes a chat completion on in its own words, and looks whether it is what was asked for.
///
/// A stream goes through as it comes, but for the word that the answer is complete: that waits for the check.
struct CheckedCompletion: FaultKeeping {
    private let contract: AnswerContract
    private var reader = ChatReader()
    var fault = Fault()
    private var answers: [Int: ChatAnswer] = [:]

    private static let maximumChoices = 128

    init(_ contract: AnswerContract) { self.contract = contract }

    var streamType: String { "text/event-stream" }

    mutating func whole(_ answer: WholeAnswer) -> WholeAnswer {
        guard answer.status == 200 else { return answer.refused(for: .openAI) }
        do {
            let json = try ChatReader.whole(answer.body).json
            for (choice, event) in ChatReader.events(json) { try add(event, to: choice) }
            for answer in answers.values { try contract.check(answer) }
            return answer
        } catch { return WholeAnswer(error, .openAI) }
    }

    mutating func take(_ bytes: ByteBuffer, _ out: inout ByteBuffer) throws {
        for event in try reader.events(in: bytes) {
            guard let chunk = try reader.read(event) else { return }
            for (choice, event) in chunk.events {
                try add(event, to: choice)
                if case .finish = event, let answer = answers[choice] { try contract.check(answer) }
            }
            if chunk.data == nil { try requireEnds() }
            out.writeString("data: \(chunk.data ?? "[DONE]")\n\n")
        }
    }

    mutating func end() throws -> ByteBuffer {
        try fault.rethrow()
        guard reader.isDone else { throw ChatReader.brokenOff }
        return ByteBuffer()
    }

    /// Without its last word nobody knows whether an answer is complete.
    private func requireEnds() throws {
        guard !answers.isEmpty, answers.values.allSatisfy({ $0.finish != nil }) else { throw ChatReader.brokenOff }
    }

    mutating func failure(_ failure: Failure) -> ByteBuffer {
        ByteBuffer(string: "data: \(API.openAI.error(failure, status: failure.status).text)\n\n")
    }

    private mutating func add(_ event: ChatEvent, to choice: Int) throws {
        guard (0..<Self.maximumChoices).contains(choice) else {
            throw Failure(.corrupted, "the engine's answer has an impossible choice \(choice)")
        }
        try answers[choice, default: ChatAnswer()].add(event)
    }
}
