import Core
import Hub
import Testing

@Suite struct HubSelectionTests {
    struct Case: Sendable {
        let files: [String]
        var wanted: String?
        let weights: [String]
        var projector: String?
        var template: String?
        var others: [String] = []
        var licences: [String] = []
    }

    static let cases = [
        Case(files: ["README.md", "x.gguf"], weights: ["x.gguf"]),
        Case(files: ["x-Q8_0.gguf", "x-Q4_K_M.gguf", "x-F16.gguf"], weights: ["x-Q4_K_M.gguf"]),
        Case(files: ["x-Q8_0.gguf", "x-Q5_K_M.gguf", "x-Q2_K.gguf"], weights: ["x-Q5_K_M.gguf"]),
        Case(files: ["x-b.gguf", "x-a.gguf"], weights: ["x-a.gguf"]),
        Case(files: ["x.q4_k_m.gguf", "x.q8_0.gguf"], wanted: "Q8_0", weights: ["x.q8_0.gguf"]),
        Case(files: ["x-Q4_K_M.gguf", "x-Q4_K_S.gguf"], wanted: "q4_k", weights: ["x-Q4_K_M.gguf"]),
        Case(files: ["x-Q4_K.gguf", "x-Q4_K_M.gguf"], wanted: "Q4_K", weights: ["x-Q4_K.gguf"]),
        Case(files: ["x-UD-Q4_K_M.gguf", "x-Q4_K_M.gguf"], weights: ["x-Q4_K_M.gguf"]),
        Case(files: ["a-Q8_0.gguf", "b-Q8_0.gguf"], wanted: "b-Q8_0.gguf", weights: ["b-Q8_0.gguf"]),
        Case(
            files: ["x-Q8_0-00002-of-00002.gguf", "x-Q8_0-00001-of-00002.gguf", "x-F16.gguf"], wanted: "Q8_0",
            weights: ["x-Q8_0-00001-of-00002.gguf", "x-Q8_0-00002-of-00002.gguf"]),
        Case(
            files: ["Q8_0/x-00001-of-00002.gguf", "Q8_0/x-00002-of-00002.gguf", "BF16/x.gguf"],
            weights: ["Q8_0/x-00001-of-00002.gguf", "Q8_0/x-00002-of-00002.gguf"]),
        Case(
            files: ["x-Q4_0.gguf", "mmproj-x-Q8_0.gguf", "mmproj-x-BF16.gguf", "mmproj-x-f16.gguf"],
            weights: ["x-Q4_0.gguf"], projector: "mmproj-x-f16.gguf"),
        Case(
            files: ["x-Q4_0.gguf", "imatrix.gguf", "tokenizer_config.json", "other.jinja", "chat_template.jinja"],
            weights: ["x-Q4_0.gguf"], template: "chat_template.jinja"),
        Case(files: ["x-Q4_0.gguf", "model.safetensors"], weights: ["x-Q4_0.gguf"]),
        Case(
            files: [
                ".gitattributes", "LICENSE", "README.md", "config.json", "consolidated.safetensors", "evil.py",
                "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "original/params.json",
                "pytorch_model.bin", "tokenizer.json", "tokenizer.model", "chat_template.jinja",
            ],
            weights: ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            template: "chat_template.jinja", others: ["config.json", "tokenizer.json", "tokenizer.model"],
            licences: ["LICENSE"]),
    ]

    @Test(arguments: cases) func chooses(_ example: Case) throws {
        // The listing's order means nothing.
        for files in [example.files, example.files.reversed()] {
            let found = try HubSelection(
                of: files.map { HubFile(path: $0, size: 1) }, wanted: example.wanted, in: "o/n")
            #expect(found.weights.map(\.path) == example.weights)
            #expect(found.projector?.path == example.projector)
            #expect(found.chatTemplate?.path == example.template)
            #expect(found.others.map(\.path) == example.others)
            #expect(found.licences.map(\.path) == example.licences)
        }
    }

    @Test(
        arguments: [
            (["README.md"], nil, Failure.Code.unsupported), ([], nil, .unsupported),
            (["x-Q4_0.gguf"], "Q8_0", .notFound), (["model.safetensors"], "Q8_0", .notFound),
            (["x-00001-of-00002.gguf"], nil, .corrupted),
            (["x-00002-of-00003.gguf", "x-00003-of-00003.gguf"], nil, .corrupted),
        ] as [([String], String?, Failure.Code)])
    func refuses(_ files: [String], _ wanted: String?, _ code: Failure.Code) {
        let failure = #expect(throws: Failure.self) {
            try HubSelection(of: files.map { HubFile(path: $0, size: 1) }, wanted: wanted, in: "o/n")
        }
        #expect(failure?.code == code)
    }

    @Test func namesWhatThereIsInstead() {
        let files = ["x-Q4_0.gguf", "x-Q8_0.gguf"].map { HubFile(path: $0, size: 1) }
        let failure = #expect(throws: Failure.self) { try HubSelection(of: files, wanted: "Q2_K", in: "hf.co/o/n") }
        #expect(failure?.description == "hf.co/o/n has nothing called \"Q2_K\". It has Q4_0, Q8_0.")
    }

    @Test(
        arguments: [
            ("x-Q4_K_M.gguf", "Q4_K_M"), ("x.iq2_xxs.gguf", "IQ2_XXS"), ("BF16/x-00001-of-00002.gguf", "BF16"),
            ("x-bf16.gguf", "BF16"), ("q4.gguf", nil), ("x-Q4_K_Mx.gguf", nil),
        ] as [(String, String?)])
    func readsAQuantisation(_ path: String, _ expected: String?) { #expect(Quantization.named(in: path) == expected) }

    @Test(arguments: [
        "../x", "/x", "a//b", "a/./b", "", "a\\b", "a\nb", "a\0b", String(repeating: "x", count: 300),
        String(repeating: "x/", count: 20) + "y",
    ])
    func refusesPathsThatLeadElsewhere(_ path: String) {
        let entry: JSON = ["type": "file", "path": .string(path), "size": 1, "oid": "0"]
        let failure = #expect(throws: Failure.self) { try HubFile(entry) }
        #expect(failure?.code == .corrupted)
    }

    @Test(arguments: [
        #"{"type":"file","path":"x","size":-1}"#, #"{"type":"file","path":"x"}"#, #"{"type":"file","size":1}"#,
        #"{"type":"file","path":"x","size":1,"lfs":{"oid":"12","size":1}}"#,
        #"{"type":"file","path":"x","size":1,"lfs":{"size":1}}"#,
        #"{"type":"file","path":"x","size":99999999999999999}"#,
    ])
    func refusesImpossibleEntries(_ text: String) {
        #expect(throws: Failure.self) { try HubFile(JSON(parsing: text)) }
    }
}
