import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import Testing

@testable import MCPHTTP

/// The transport of 2024-11-05 as a client sees it.
@Suite(.timeLimit(.minutes(2))) struct EventServerTests {
    private func open(_ bench: Bench) async throws -> HTTPClientResponse {
        try await bench.open(bench.request(.GET, "/sse", with: ["accept": "text/event-stream"]))
    }

    @Test func aSessionFromItsFirstEventToItsEnd() async throws {
        try await Bench.run { (bench) async throws in
            let response = try await open(bench)
            #expect(response.status == .ok)
            var events = Events(response)
            let first = try #require(try await events.next())
            #expect(first.name == "endpoint")
            #expect(first.data.hasPrefix("/message?sessionId="))
            #expect(first.data.count == "/message?sessionId=".count + 32)
            let told = try await bench.send(bench.request(.POST, first.data, Bench.initialize, with: ["accept": ""]))
            #expect(told.status == 202)
            let greeting = try #require(try await events.next())
            #expect(greeting.name == "message")
            #expect(try JSON(parsing: greeting.data)["result"]?["protocolVersion"]?.string == "2025-06-18")
            let body = #"{"jsonrpc":"2.0","id":2,"method":"progress","params":{"_meta":{"progressToken":1}}}"#
            _ = try await bench.send(bench.request(.POST, first.data, body))
            for step in 1...3 { #expect(try await events.message()?["params"]?["progress"]?.int == step) }
            #expect(try await events.message()?["result"]?["done"] == true)
            #expect(await bench.served.ongoing == 1)
        }
    }

    @Test func theEndOfTheConnectionIsTheEndOfTheSession() async throws {
        try await Bench.run { (bench) async throws in
            let address = Promise<String>()
            let client = Task {
                var events = Events(try await open(bench))
                address.fulfil(.success(try #require(try await events.next()).data))
                _ = try await events.next()
            }
            let path = try await address.value
            #expect(try await bench.send(bench.request(.POST, path, Bench.initialize)).status == 202)
            client.cancel()
            _ = await client.result
            await bench.served.waitUntilNone()
            #expect(try await bench.send(bench.request(.POST, path, Bench.initialize)).status == 404)
        }
    }

    @Test(arguments: [
        ("POST", "/sse", 405), ("GET", "/message", 405), ("POST", "/message", 400),
        ("POST", "/message?sessionId=x", 404),
        ("POST", "/servers/one/message?sessionId=x", 404), ("POST", "/servers/two/sse", 404),
        ("POST", "/servers/one/sse", 405), ("GET", "/", 404), ("GET", "/health", 200),
    ])
    func addresses(method: String, path: String, status: Int) async throws {
        try await Bench.run(servers: ["one"]) { (bench) async throws in
            let body = method == "POST" ? Bench.initialize : nil
            let answer = try await bench.send(bench.request(HTTPMethod(rawValue: method), path, body))
            #expect(answer.status == status)
        }
    }

    @Test func whatIsRefusedIsRefusedHereToo() async throws {
        try await Bench.run { (bench) async throws in
            for (header, value, status) in [
                ("authorization", "Bearer wrong", 401), ("host", "evil.example", 403), ("origin", "null", 403),
                ("accept", "application/json", 406),
            ] {
                let answer = try await bench.send(bench.request(.GET, "/sse", with: [header: value]))
                #expect(answer.status == status)
            }
            #expect(await bench.served.total == 0)
        }
    }
}
