internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import Hub
internal import NIOCore
internal import NIOHTTP1
internal import Terminal

/// Pulls and pushes through the runner, with its progress shown.
enum ModelTransfer {
    /// The runner went away in the middle.
    private struct Broken: Error, CustomStringConvertible {
        let failure: Failure
        var description: String { failure.description }
    }

    /// A transfer that goes on with the next runner when one goes away: what has come by then is not sent again.
    static func run(_ body: @Sendable (RunnerClient) async throws -> Void) async throws {
        for seconds in [1, 2, 4, 8] {
            do { return try await RunnerClient.with(body) } catch let broken as Broken {
                let err = CommandContext.current.console.err
                err.print("\(broken.failure.message); trying again in \(seconds) s".printable)
                try await Task.sleep(for: .seconds(seconds))
            }
        }
        try await RunnerClient.with(body)
    }

    static func pull(_ model: String, with client: RunnerClient, quiet: Bool = false) async throws {
        try ModelNames.check(model)
        var body = JSON.Object([("from", .string(model))])
        // The runner may be one that was started without it.
        if HubReference.isHub(model), let token = CommandContext.current.paths.setting("HF_TOKEN") {
            body["bearer-token"] = .string(token)
        }
        try await transfer(
            "/models/create", body: .object(body), client: client,
            board: ProgressBoard(progressOutput(quiet), verb: "Downloading", doneText: "Pull complete"), quiet: quiet)
    }

    static func push(_ model: String, with client: RunnerClient) async throws {
        try ModelNames.check(model)
        try await transfer(
            "/models/\(model.pathEncoded)/push", body: [:], client: client,
            board: ProgressBoard(progressOutput(false), verb: "Uploading", doneText: "Push complete"), quiet: false)
    }

    /// Where an answer on stdout follows, progress belongs on stderr.
    private static func progressOutput(_ quiet: Bool) -> Console.Output {
        let console = CommandContext.current.console
        return quiet ? console.err : console.out
    }

    /// One JSON object a line: progress, then success or an error.
    private static func transfer(
        _ path: String, body: JSON, client: RunnerClient, board: ProgressBoard, quiet: Bool
    ) async throws {
        var board = board
        let response: HTTPClientResponse
        do {
            response = try await client.send(
                .POST, path, body: body.bytes, headers: [("accept", "application/json")])
        } catch let failure as Failure where failure.message == RunnerClient.closed { throw Broken(failure: failure) }
        var lines = LineSplitter(maximumLength: 1 << 20)
        var succeeded = false
        do {
            try await RunnerClient.read(response) { chunk in
                try take(chunk, &lines, &board, &succeeded, quiet)
            }
        } catch let failure as Failure where failure.code == .unavailable { throw Broken(failure: failure) }
        guard succeeded else {
            throw Broken(
                failure: Failure(
                    .unavailable, "the runner ended the transfer without saying how it went", advice: "Try again."))
        }
    }

    private static func take(
        _ chunk: ByteBuffer, _ lines: inout LineSplitter, _ board: inout ProgressBoard, _ succeeded: inout Bool,
        _ quiet: Bool
    ) throws {
        for line in try lines.append(chunk) where line.readableBytes > 0 {
            guard let message = try? JSON(parsing: line), let type = message["type"]?.string else {
                throw Failure(
                    .corrupted,
                    "unexpected response from server (not valid progress data): \(String(buffer: line).prefix(4096))")
            }
            let text = message["message"]?.string ?? ""
            switch type {
            case "progress":
                guard let layer = message["layer"], let id = layer["id"]?.string else { continue }
                let shown = id.split(separator: ":").last.map(String.init) ?? id
                board.update(shown, current: Int64(layer["current"]?.int ?? 0), total: Int64(layer["size"]?.int ?? 0))
            case "success":
                succeeded = true
                progressOutput(quiet).print(text.printable)
            case "warning": CommandContext.current.console.err.print("warning: \(text)".printable)
            case "error": throw Failure(.internalError, text)
            default: continue
            }
        }
    }
}
