internal import AsyncAlgorithms
internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import ModelStore
internal import NIOCore

/// Answers a request with the progress of a transfer, which ends when its client goes away.
struct ProgressStream: Sendable {
    let mode: ProgressLine.Mode
    var style = Style.docker
    let transfer: Transfers.Work

    /// Whose clients read the lines.
    enum Style: Sendable {
        case docker
        case ollama
    }

    /// A transfer that starts with the request and goes on while its answer is written: it belongs to the answer, and is
    /// cancelled with it.
    private final class Transfer: Sendable {
        let lines = AsyncThrowingChannel<ProgressLine, any Error>()
        private let task: Task<Void, Never>

        init(_ stream: ProgressStream) {
            task = Task { [lines] in
                do {
                    let message = try await stream.transfer { progress in
                        await lines.send(.progress(progress, stream.mode))
                        try Task.checkCancellation()
                    }
                    await lines.send(.success(message))
                    lines.finish()
                } catch { lines.fail(error) }
            }
        }

        func cancel() { task.cancel() }

        deinit { task.cancel() }
    }

    /// What fails before the first line decides the status; what fails later is a line of its own.
    func respond(to request: Request, use: Activity.Use, context: Context) async throws -> Response {
        let transfer = Transfer(self)
        let first = try await context.whileConnected {
            for try await line in transfer.lines { return line }
            return ProgressLine.error("nothing was transferred")
        }
        let disconnection = try await context.disconnection()
        let isJSON = request.headers[.accept] == "application/json"
        let type =
            switch style {
            case .docker: isJSON ? "application/json" : "text/plain; charset=utf-8"
            case .ollama: "application/x-ndjson"
            }
        let bytes = { @Sendable [style] (line: ProgressLine) in
            switch style {
            case .docker: line.bytes(escaped: !isJSON)
            case .ollama: OllamaProgress.bytes(line)
            }
        }
        return Response(
            status: .ok, headers: [.contentType: type],
            body: ResponseBody { [style, mode] writer in
                defer {
                    transfer.cancel()
                    withExtendedLifetime(use) {}
                }
                if style == .ollama { try await writer.write(OllamaProgress.beginning(mode)) }
                try await writer.write(bytes(first))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await disconnection.value
                        transfer.cancel()
                    }
                    defer { group.cancelAll() }
                    do {
                        for try await line in transfer.lines { try await writer.write(bytes(line)) }
                    } catch let failure as Failure {
                        try await writer.write(bytes(.error(failure.description)))
                    }
                }
                try await writer.finish(nil)
            })
    }
}
