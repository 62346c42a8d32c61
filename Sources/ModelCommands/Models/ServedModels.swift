internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import DockerEngine
internal import NIOCore
internal import NIOHTTP1
internal import Terminal

/// The models that any server with OpenAI's API offers: `GET URL/models`.
struct ServedModels {
    private let url: String

    private static let maximumAnswer = 16 << 20

    /// - Throws: `.invalidArgument` for what is no http address.
    init(_ url: String) throws {
        var url = url
        while url.hasSuffix("/") { url.removeLast() }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw Failure(
                .invalidArgument, "\"\(url.prefix(200))\" is no http address",
                advice: "Write it as http://HOST:PORT/v1")
        }
        self.url = url
    }

    func list(json: Bool, quiet: Bool, _ out: Console.Output) async throws {
        let answer = try await ask()
        guard let models = answer["data"]?.array else {
            throw Failure(.corrupted, "\(url)/models does not answer as OpenAI's API does")
        }
        if json { return out.print(answer.text(indent: 4)) }
        let named = models.compactMap { model in model["id"]?.string.map { (id: $0, model: model) } }
        if quiet { return named.forEach { out.print($0.id.printable) } }
        var table = Table(["MODEL NAME", "CREATED"])
        for (id, model) in named {
            table.append([id, model["created"]?.int.map { Timestamp(seconds: Int64($0)).ago() } ?? ""])
        }
        out.print(table.text)
    }

    private func ask() async throws -> JSON {
        try await withHTTPClient { http in
            var request = HTTPClientRequest(url: "\(url)/models")
            request.headers.add(name: "user-agent", value: "docker-model-cli/\(WharfVersion.current)")
            let body: ByteBuffer
            do {
                let response = try await http.execute(request, timeout: .seconds(60))
                guard response.status == .ok else {
                    throw Failure(.unavailable, "\(url)/models answered \(response.status)")
                }
                body = try await response.body.collect(upTo: Self.maximumAnswer)
            } catch let failure as Failure {
                throw failure
            } catch { throw Failure(.unavailable, "cannot read \(url)/models", cause: error) }
            do { return try JSON(parsing: body) } catch {
                throw Failure(.corrupted, "\(url)/models does not answer as OpenAI's API does")
            }
        }
    }
}
