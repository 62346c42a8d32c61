import Core
import ModelStore
import NIOCore
import TestSupport
import Testing

@testable import RunnerAPI

@Suite struct RequestDefaultsTests {
    private static let chat = "/v1/chat/completions"

    private static func custom(
        system: String? = nil, stop: [String] = [], messages: [Customization.Message] = []
    ) throws -> Customization {
        var custom = Customization()
        custom.system = system
        custom.messages = messages
        for text in stop { try custom.parameters.set("stop", to: text) }
        return custom
    }

    private func apply(_ custom: Customization, _ body: String, path: String = chat) throws -> String {
        String(buffer: try RequestDefaults(custom).apply(to: ByteBuffer(string: body), path: path))
    }

    @Test(
        arguments: [
            // Bytes that are not ours stay as they are: numbers, escapes, order.
            (
                #"{"model":"x","messages":[{"role":"user","content":"\u00e9"}],"temperature":1.0}"#,
                #"{"model":"x","messages":[{"role":"system","content":"S"},{"role":"user","content":"\u00e9"}],"temperature":1.0}"#
            ),
            (#"{"messages":[]}"#, #"{"messages":[{"role":"system","content":"S"}]}"#),
            (
                #"{"messages":[{"role":"system","content":"own"},{"role":"user"}]}"#,
                #"{"messages":[{"role":"system","content":"own"},{"role":"user"}]}"#
            ),
            (#"{"messages":[{"role":"developer"}]}"#, #"{"messages":[{"role":"developer"}]}"#),
            (#"{"messages":"no list"}"#, #"{"messages":"no list"}"#), (#"{"model":"x"}"#, #"{"model":"x"}"#),
            (#"{"messages":[1,null]}"#, #"{"messages":[{"role":"system","content":"S"},1,null]}"#),
        ]) func aSystemPromptComesFirst(_ body: String, _ expected: String) throws
    {
        #expect(try apply(Self.custom(system: "S"), body) == expected)
    }

    @Test func theModelsConversationComesBeforeTheRequests() throws {
        let custom = try Self.custom(
            system: "S", messages: [.init(role: "user", content: "a"), .init(role: "assistant", content: "b")])
        #expect(
            try apply(custom, #"{"messages":[{"role":"user","content":"c"}]}"#) == """
                {"messages":[{"role":"system","content":"S"},{"role":"user","content":"a"},\
                {"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
                """)
        #expect(
            try apply(custom, #"{"messages":[{"role":"system","content":"own"},{"role":"user","content":"c"}]}"#) == """
                {"messages":[{"role":"system","content":"own"},{"role":"user","content":"a"},\
                {"role":"assistant","content":"b"},{"role":"user","content":"c"}]}
                """)
    }

    @Test(
        arguments: [
            (#"{"a":1}"#, #"{"a":1,"stop":["END","x"]}"#), (#"{"stop":null}"#, #"{"stop":["END","x"]}"#),
            (#"{"stop":[]}"#, #"{"stop":[]}"#), (#"{"stop":"own"}"#, #"{"stop":"own"}"#),
        ]) func textsThatEndAnswers(_ body: String, _ expected: String) throws
    {
        let custom = try Self.custom(stop: ["END", "x"])
        #expect(try apply(custom, body) == expected)
        #expect(try apply(custom, body, path: "/v1/completions") == expected)
        #expect(try apply(custom, body, path: "/v1/embeddings") == body)
    }

    @Test func whatAModelDoesNotSayChangesNothing() throws {
        let body = "{ \"messages\" : [ ] }"
        #expect(try apply(Customization(), body) == body)
    }

    /// All the way: packaged, started with its parameters, asked with its system prompt.
    @Test func aModelIsRunAsItsModelfileSays() async throws {
        try await Bench.run { bench in
            var recipe = PackageRecipe(.gguf(Bench.model))
            recipe.system = "Be brief."
            try recipe.parameters.set("temperature", to: "0.5")
            try recipe.parameters.set("num_ctx", to: "128")
            try recipe.parameters.set("num_gpu", to: "7")
            try await bench.store.package(recipe, as: ModelReference(parsing: "custom"))
            let answer = try await bench.post(
                "/v1/chat/completions", #"{"model":"custom","messages":[{"role":"user","content":"x"}],"fake":"echo"}"#)
            #expect(answer.status == 200, "\(answer.text)")
            let start = try #require(try bench.engine.journal().first { $0["event"] == "start" })
            let words = (start["arguments"]?.array ?? []).compactMap(\.string)
            let arguments = words.joined(separator: " ")
            #expect(answer.text.contains(#"[{"role":"system","content":"Be brief."},{"#), "\(answer.text)")
            #expect(arguments.contains("--temp 0.5"), "\(arguments)")
            #expect(arguments.contains("--ctx-size 128"), "\(arguments)")
            #expect(!words.contains("7"), "\(arguments)")
            let shown = try await bench.get("/models/custom").json
            #expect(shown["customization"]?["system"] == "Be brief.")
        }
    }
}
