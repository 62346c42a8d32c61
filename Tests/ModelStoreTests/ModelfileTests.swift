import Core
import ModelStore
import NIOCore
import SystemPackage
import TestSupport
import Testing

@Suite struct ModelfileTests {
    private func parse(_ text: String) throws -> Modelfile { try Modelfile(parsing: ByteBuffer(string: text)) }

    @Test func readsEveryInstruction() throws {
        let file = try parse(
            """
            \u{FEFF}# A comment, and an empty line

            from ./pebble.gguf
            PARAMETER temperature 0.25
            parameter STOP "<|im_end|>"
            PARAMETER stop User:
            Parameter num_ctx 512
            PARAMETER num_gpu 1
            TEMPLATE \"\"\"{{ if .System }}{{ .System }}{{ end }}
              # no comment
            {{ .Prompt }}\"\"\"
            SYSTEM "You are \"Pebble\"."
            ADAPTER ./one.gguf
            adapter two.gguf
            LICENSE \"\"\"
            MIT
            \"\"\"
            LICENSE another one
            MESSAGE user What is "this"?
            MESSAGE assistant \"\"\"A
            stone.\"\"\"
            """)
        #expect(file.sources.map(\.text) == ["./pebble.gguf"])
        #expect(file.sources.map(\.line) == [3])
        #expect(file.template?.text == "{{ if .System }}{{ .System }}{{ end }}\n  # no comment\n{{ .Prompt }}")
        #expect(file.system?.text == "You are \"Pebble\".")
        #expect(file.adapters.map(\.text) == ["./one.gguf", "two.gguf"])
        #expect(file.licences.map(\.text) == ["\nMIT\n", "another one"])
        #expect(file.parameters.launch == ["temperature": "0.25"])
        #expect(file.parameters.stop == ["<|im_end|>", "User:"])
        #expect(file.parameters.contextSize == 512)
        #expect(file.parameters.ignored == ["num_gpu"])
        #expect(
            file.messages == [
                .init(role: "user", content: "What is \"this\"?"), .init(role: "assistant", content: "A\nstone."),
            ])
    }

    @Test func linesMayEndAsOnWindows() throws {
        let file = try parse("FROM x\r\nSYSTEM \"\"\"one\r\ntwo\"\"\"\r\n")
        #expect(file.sources.map(\.text) == ["x"])
        #expect(file.system?.text == "one\ntwo")
    }

    @Test(
        arguments: [
            ("", "has no FROM"), ("# only\n\n", "has no FROM"), ("SYSTEM x", "has no FROM"),
            ("FROM", "line 1: FROM needs a value"), ("FROM x\nFORM y", "line 2: unknown instruction \"FORM\""),
            ("FROM x\n\nSYSTEM \"\"\"a\nb", "line 3: a text begins with \"\"\" and does not end"),
            ("FROM x\nSYSTEM \"a\nb", "line 2: a text begins with \" and does not end"),
            ("FROM x\nPARAMETER heat 1", "line 2: unknown parameter \"heat\""),
            ("FROM x\nPARAMETER temperature", "line 2: PARAMETER needs a parameter's name and its value"),
            ("FROM x\nPARAMETER temperature hot", "line 2: temperature cannot be \"hot\""),
            ("FROM x\nPARAMETER temperature nan", "line 2: temperature cannot be"),
            ("FROM x\nPARAMETER temperature 11", "line 2: temperature cannot be \"11\""),
            ("FROM x\nPARAMETER top_k 1.5", "line 2: top_k cannot be"),
            ("FROM x\nPARAMETER num_ctx 0", "line 2: num_ctx cannot be"),
            ("FROM x\nPARAMETER seed --model", "line 2: seed cannot be"),
            ("FROM x\nMESSAGE tool hi", "line 2: unknown role \"tool\""),
            ("FROM x\nMESSAGE user", "line 2: MESSAGE needs a role"),
            ("FROM x\nADAPTER \"\"", "line 2: ADAPTER needs a value"),
        ] as [(String, String)]) func saysWhichLineIsWrong(_ text: String, _ message: String)
    {
        let failure = #expect(throws: Failure.self) { try parse(text) }
        #expect(failure?.code == .invalidArgument)
        #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
    }

    @Test func refusesWhatIsNoText() {
        #expect(throws: Failure.self) { try Modelfile(parsing: ByteBuffer(bytes: [0x46, 0xFF, 0xFE])) }
        let long = ByteBuffer(repeating: 0x20, count: Modelfile.maximumBytes + 1)
        #expect(throws: Failure.self) { try Modelfile(parsing: long) }
    }

    @Test func pathsAreRelativeToTheModelfile() async throws {
        try await withTemporaryDirectory { folder in
            func recipe(_ text: String) throws -> PackageRecipe {
                try Files.write(ByteBuffer(string: text), to: folder.appending("sub/Modelfile"))
                return try PackageRecipe(modelfile: folder.appending("sub/Modelfile"))
            }
            try Files.makeDirectory(folder.appending("sub"))
            try Files.write(ByteBuffer(), to: folder.appending("x.gguf"))
            try Files.write(ByteBuffer(), to: folder.appending("sub/a.gguf"))
            let one = try recipe("FROM ../x.gguf\nADAPTER a.gguf\nTEMPLATE {{ .Prompt }}")
            #expect(one.source == .gguf(folder.appending("x.gguf")))
            #expect(one.adapters == [folder.appending("sub/a.gguf")])
            #expect(one.goTemplate == "{{ .Prompt }}" && one.chatTemplate == nil)
            let two = try recipe("FROM .\nTEMPLATE {% for m in messages %}{% endfor %}")
            #expect(two.source == .safetensors(folder.appending("sub")))
            #expect(two.chatTemplate == .inline("{% for m in messages %}{% endfor %}") && two.goTemplate == nil)
            #expect(try recipe("FROM llama3.2:1b").source == .model("llama3.2:1b"))
            for (text, message) in [
                ("FROM ./none.gguf", "line 1: there is no file or model \"./none.gguf\""),
                ("FROM \"a b\"", "line 1: there is no file or model"),
                ("FROM a.gguf\nADAPTER none", "line 2: there is no file \"none\""),
                ("FROM a.gguf\nFROM a.gguf", "line 2: a second FROM"),
            ] {
                let failure = #expect(throws: Failure.self) { try recipe(text) }
                #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
            }
        }
    }

    /// A registry may have put anything there.
    @Test(
        arguments: [
            (#"{"temperature":"0.5","top_k":-1,"seed":1e99,"x":1}"#, [:], ["seed", "temperature", "top_k", "x"]),
            (#"{"temperature":1e-1,"top_p":1,"seed":-1}"#, ["temperature": "0.1", "top_p": "1.0", "seed": "-1"], []),
            (#"{"stop":"x","num_ctx":-5}"#, [:], ["num_ctx"]), (#"{"stop":[1,""]}"#, [:], ["stop"]),
        ] as [(String, [String: String], [String])]) func parametersOfStrangers(
            _ text: String, _ launch: [String: String], _ ignored: [String]
        ) throws
    {
        let parameters = try ModelParameters(parsing: ByteBuffer(string: text))
        #expect(parameters.launch == launch)
        #expect(parameters.ignored == ignored)
        #expect(parameters.contextSize == nil)
    }

    @Test func thereAreNotAnyNumberOfParameters() {
        let many = JSON.object(JSON.Object((0..<300).map { ("p\($0)", 1) }))
        let failure = #expect(throws: Failure.self) { try ModelParameters(parsing: many.bytes) }
        #expect(failure?.code == .corrupted)
    }
}
