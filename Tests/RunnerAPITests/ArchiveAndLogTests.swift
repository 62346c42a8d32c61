import AsyncHTTPClient
import Core
import ModelStore
import NIOCore
import NIOHTTP1
import OCI
import SystemPackage
import Testing

@testable import RunnerAPI

@Suite struct ArchiveAndLogTests {
    @Test func aModelGoesOutAndComesIn() async throws {
        try await Bench.run { bench in
            let id = try bench.store.model(named: "pebble").id.description
            let archive = try await bench.get("/models/ai/pebble:latest/export")
            #expect(archive.status == 200 && archive.headers["content-type"] == ["application/x-tar"])
            #expect(archive.headers["content-disposition"] == ["attachment; filename=\"ai_pebble_latest.tar\""])
            #expect(archive.headers["content-length"] == [String(archive.body.readableBytes)])
            #expect(try await bench.get("/models/nothing/export").status == 404)

            _ = try await bench.send(bench.request(.DELETE, "/models/pebble"))
            var request = bench.request(.POST, "/models/load")
            request.headers.add(name: "accept", value: "application/json")
            request.body = .bytes(archive.body)
            let loaded = try await bench.send(request)
            #expect(loaded.status == 200)
            #expect(
                try loaded.json == [
                    "type": "success", "message": "Model loaded successfully", "id": .string(id),
                    "tag": "docker.io/ai/pebble:latest",
                ])
            request.body = .bytes(ByteBuffer(string: "this is no archive"))
            let refused = try await bench.send(request)
            #expect(refused.status == 400 && refused.text == "cannot load the model: the archive is cut off\n")
            let usage = try await bench.get("/engines/df").json
            #expect(usage["models_disk_usage"]?.int == Int(bench.store.diskUsage))
            #expect(usage["default_backend_disk_usage"] == 0)
        }
    }

    @Test func whatRunsIsUnloadedByTheNameItRunsUnder() async throws {
        try await Bench.run { bench in
            _ = try await bench.post(
                "/v1/chat/completions", #"{"model":"pebble"}"#, headers: [("X-Preload-Only", "true")])
            // The name goes to another model, while the first still runs.
            try await bench.store.package(gguf: Bench.model, as: .init(parsing: "pebble"), contextSize: 99)
            #expect(try await bench.post("/engines/unload", #"{"models":["pebble"]}"#).json == ["unloaded_runners": 1])
        }
    }

    @Test func withoutAFileThereAreNoLogs() async throws {
        try await Bench.run { bench in
            let answer = try await bench.get("/logs")
            #expect(answer.status == 404 && answer.text.contains("stderr"))
            #expect(try await bench.get("/logs?follow=perhaps").status == 400)
        }
    }

    private static let engine = "2026-11-21T09:46:09+0000 info wharf: engine=llama.cpp model=x [Inference] loading\n"
    private static let other = "2026-11-21T09:46:09+0000 info wharf: milliseconds=94 [Inference] engine=no\n"

    @Test(arguments: [1, 30, 1000]) func enginesAreLeftOut(_ chunk: Int) throws {
        let text = Self.other + Self.engine + "plain words\n" + Self.engine + "end"
        var filter = LogFilter(showsEngines: false)
        var result = ByteBuffer()
        var rest = ByteBuffer(string: text)
        while let piece = rest.readSlice(length: min(chunk, rest.readableBytes)), piece.readableBytes > 0 {
            result.writeImmutableBuffer(try filter.take(piece))
        }
        result.writeImmutableBuffer(filter.finish())
        #expect(String(buffer: result) == Self.other + "plain words\nend")
    }

    @Test func aLogIsReadOnThroughItsRotation() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "log-")
        defer { try? Files.remove(folder) }
        let path = folder.appending("log")
        func append(_ text: String) throws {
            let file = try SystemPackage.FileDescriptor.open(
                path, .writeOnly, options: [.create, .append], permissions: [.ownerReadWrite])
            try file.closeAfter { _ = try file.writeAll(text.utf8) }
        }
        #expect(throws: Failure.self) { _ = try LogReader(path) }
        try Files.write(ByteBuffer(string: "old\n"), to: LogReader.olderPath(of: path))
        try append("one\n")
        var reader = try LogReader(path)
        func rest() throws -> String {
            var text = ""
            while let bytes = try reader.next() { text += String(buffer: bytes) }
            return text
        }
        #expect(try rest() == "old\none\n")
        #expect(try rest() == "")
        try append("two\n")
        try POSIX.rename(path, to: LogReader.olderPath(of: path))
        #expect(try rest() == "two\n")
        try append("three\n")
        #expect(try rest() == "three\n")
    }
}
