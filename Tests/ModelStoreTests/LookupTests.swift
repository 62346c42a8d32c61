import Core
import NIOCore
import OCI
import SystemPackage
import Testing

@testable import ModelStore

@Suite struct LookupTests {
    private static func digest(_ number: Int) -> Digest { .sha256(of: ByteBuffer(string: "\(number)")) }

    /// Both ways to an entry must find the same one, whatever is asked.
    @Test func findsWhatTheIndexFinds() throws {
        var index = StoreIndex()
        let tags = [
            ["docker.io/ai/a:latest", "docker.io/ai/a:v1"], ["docker.io/ai/b:latest"], ["ai/c"], ["hf.co/O/N:q4_k_m"],
            ["localhost:5000/team/x:1", "docker.io/ai/x:1"], ["registry.example/a:latest"], [],
            ["docker.io/ai/A:latest"],
        ]
        for (number, tags) in tags.enumerated() {
            index.entries.append(.init(id: Self.digest(number), tags: tags, files: []))
        }
        let lookup = StoreLookup(index)
        let names =
            tags.flatMap(\.self) + ["a", "A", "b", "c", "x:1", "x", "n", "hf.co/o/n:Q4_K_M", "none", "ai/c:latest"]
            + (0..<10).flatMap { [Self.digest($0).short, Self.digest($0).hex, Self.digest($0).description] }
            + (0..<10).map { "a@\(Self.digest($0))" }
        for name in names {
            let reference = try ModelReference(parsing: name)
            #expect(lookup.entry(for: reference) == index.entry(for: reference), "\(name)")
            let found = Result { try lookup.entry(partial: name) }
            let walked = Result { try StoreIndex.only(index.entries(partial: name), named: name) }
            #expect((try? found.get()) == (try? walked.get()), "\(name)")
        }
    }

    /// What is known is answered without a look at any file but the index's state.
    @Test func aRequestReadsNoFile() async throws {
        try await withStore { store in
            let model = try await store.package(gguf: pebble, as: ModelReference(parsing: "x"), created: someTime)
            var index = try store.index()
            for number in 0..<2000 {
                index.entries.append(
                    .init(id: Self.digest(number), tags: ["docker.io/ai/m\(number):latest"], files: []))
            }
            try Files.write(index.bytes, to: store.root.appending("models.json"))
            #expect(try store.model(named: "x").id == model.id)
            // Neither the manifests, nor the configuration, nor the content of the index is read again.
            try Files.remove(store.root.appending("manifests"))
            try Files.remove(store.root.appending("blobs"))
            for name in ["x", "ai/x:latest", model.id.short, model.id.hex, model.id.description] {
                #expect(try store.model(named: name).id == model.id)
            }
            // Another writer's index is seen at once.
            index.entries.removeAll { $0.id == model.id }
            try Files.write(index.bytes, to: store.root.appending("models.json"))
            #expect(throws: Failure.self) { try store.model(named: "x") }
        }
    }
}
