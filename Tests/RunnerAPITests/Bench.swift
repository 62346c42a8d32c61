import AsyncHTTPClient
import Core
import Hub
import Inference
import Logging
import ModelStore
import NIOCore
import NIOHTTP1
import OCI
import SystemPackage
import TestSupport

@testable import RunnerAPI

/// A whole daemon in this process, with a store of its own and a fake engine.
struct Bench: Sendable {
    let folder: FilePath
    let engine: FakeEngine
    let store: ModelStore
    let client: HTTPClient
    let socket: FilePath
    let port: Int

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: ByteBuffer

        var text: String { String(buffer: body) }
        var json: JSON { get throws { try JSON(parsing: body) } }
    }

    /// - Parameters:
    ///   - gated: whether the engine loads only when `gate` has been opened.
    ///   - installed: whether there is an engine at all.
    static func run(
        gated: Bool = false, dies: String? = nil, installed: Bool = true, maximumRequest: Int? = nil,
        configure: (inout RunnerServer.Configuration, FilePath) throws -> Void = { _, _ in },
        _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "api-")
        defer { try? Files.remove(folder) }
        let engine = try FakeEngine(in: folder)
        var environment = engine.environment(loadsWhen: gated ? folder.appending("gate") : nil, dies: dies)
        if !installed { environment = ["HOME": folder.string] }
        let paths = Paths(environment: environment)
        let store = try ModelStore(root: folder.appending("models"))
        try await store.package(gguf: model, as: ModelReference(parsing: "pebble"), contextSize: 2048)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: Registry.clientConfiguration)
        let socket = folder.appending("r.sock")
        let listening = Promise<Int>()
        var configuration = RunnerServer.Configuration(socket: socket, port: 0, version: "1.2.3") { address in
            if case .tcp(_, let port, _) = address { listening.fulfil(.success(port)) }
        }
        try configure(&configuration, folder)
        if let maximumRequest { configuration.maximumRequest = maximumRequest }
        let server = RunnerServer(
            configuration: configuration, store: store,
            registry: Registry(client: client, environment: paths, userAgent: "test"),
            hub: {
                try HuggingFace(
                    connections: Connections(direct: client, environment: paths), environment: paths, userAgent: "test",
                    token: $0)
            },
            backends: [LlamaServer(paths: paths)], installer: EngineInstaller(paths: paths), logger: quiet)
        let outcome: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await server.run() } catch {
                        listening.fulfil(.failure(error))
                        throw error
                    }
                }
                let port = try await listening.value
                while !Files.exists(socket) { await Task.yield() }
                let bench = Bench(
                    folder: folder, engine: engine, store: store, client: client, socket: socket, port: port)
                group.addTask { try await body(bench) }
                try await group.next()
                group.cancelAll()
                while let result = await group.nextResult() { _ = result }
            }
            outcome = .success(())
        } catch { outcome = .failure(error) }
        try await client.shutdown()
        try outcome.get()
    }

    static let model = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        .appending("Models/pebble/pebble-1m-q8_0.gguf")

    func request(_ method: HTTPMethod, _ path: String, tcp: Bool = false) -> HTTPClientRequest {
        var request = HTTPClientRequest(
            url: tcp
                ? "http://127.0.0.1:\(port)\(path)" : "http+unix://\(socket.string.replacing("/", with: "%2F"))\(path)")
        request.method = method
        if !tcp { request.headers.add(name: "host", value: "localhost") }
        return request
    }

    func send(_ request: HTTPClientRequest) async throws -> Answer {
        let response = try await client.execute(request, timeout: .seconds(60))
        return Answer(
            status: Int(response.status.code), headers: response.headers,
            body: try await response.body.collect(upTo: 16 << 20))
    }

    func get(_ path: String) async throws -> Answer { try await send(request(.GET, path)) }

    func post(_ path: String, _ body: String, headers: [(String, String)] = []) async throws -> Answer {
        try await send(posting(path, body, headers: headers))
    }

    func posting(_ path: String, _ body: String, headers: [(String, String)] = []) -> HTTPClientRequest {
        var request = request(.POST, path)
        request.headers.add(contentsOf: HTTPHeaders(headers))
        request.body = .bytes(ByteBuffer(string: body))
        return request
    }

    func chat(_ fake: String) -> HTTPClientRequest {
        posting("/engines/v1/chat/completions", #"{"model":"pebble","messages":[{}],"fake":"\#(fake)"}"#)
    }

    /// The runners, when they look as expected.
    func waitForRunners(_ expected: @escaping @Sendable ([JSON]) -> Bool) async throws {
        while true {
            if expected(try await get("/engines/ps").json.array ?? []) { return }
            await Task.yield()
        }
    }
}
