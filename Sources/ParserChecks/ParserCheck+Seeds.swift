internal import Core
internal import NIOCore
internal import OCI

extension ParserCheck {
    /// Sound input, to begin with.
    package var seeds: [[UInt8]] {
        switch self {
        case .gguf: [Self.ggufSeed]
        case .safetensors: [Self.safetensorsSeed]
        case .tar: [Self.tarSeed]
        case .requestState: [Self.stateSeed]
        case .gzip: [Self.gzipSeed]
        default: texts.map { Array($0.utf8) }
        }
    }

    private static let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)

    private var texts: [String] {
        switch self {
        case .reference:
            ["smollm2", "localhost:5000/team/x:v1@\(Self.digest)", "hf.co/Org/Repo:Q4_K_M", "[::1]:5000/a/b_c--d.e:T"]
        case .manifest:
            [
                """
                {"schemaVersion":2,"mediaType":"\(MediaType.manifest)","artifactType":"x","config":{"mediaType":\
                "\(MediaType.modelConfig)","digest":"\(Self.digest)","size":2},"layers":[{"mediaType":\
                "\(MediaType.gguf)","digest":"\(Self.digest)","size":9007199254740992,"annotations":{"a":"b"}}],\
                "annotations":{"c":"d"}}
                """
            ]
        case .config:
            [
                """
                {"config":{"format":"gguf","quantization":"Q4_K_M","parameters":"1 B","size":"1.00MiB","architecture":\
                "llama","gguf":{"a":"b"},"context_size":4096},"descriptor":{"created":"2026-01-02T03:04:05.67+01:00"}}
                """,
                """
                {"descriptor":{"createdAt":"2026-01-02T03:04:05Z"},"modelfs":{"type":"layers","diffIds":[]},\
                "config":{"paramSize":"8b","precision":"bf16"}}
                """,
                #"{"model_format":"gguf","model_family":"llama","model_type":"8.0B","file_type":"Q4_0"}"#,
            ]
        case .parameters:
            [#"{"temperature":0.7,"top_k":40,"stop":["<|im_end|>","x"],"num_ctx":4096,"seed":-1,"num_gpu":1}"#]
        case .modelfile:
            [
                "# x\nFROM ./x.gguf\nPARAMETER temperature 0.5\nPARAMETER stop \"a b\"\nTEMPLATE \"\"\"{{ .Prompt }}\n"
                    + "\"\"\"\nSYSTEM You are.\nMESSAGE user \"\"\"Hi\n\"\"\"\nLICENSE x\nADAPTER ./a.gguf\n"
            ]
        case .json:
            [
                #"{"a":[1,-2.5e+3,true,null,"\u00e9\uD83D\uDE00\n"],"b":{"c":{}},"a":0}"#, "[[[[1]]]]", " \"x\" ",
            ]
        case .envelope: Self.envelopeTexts
        case .header: ["eu-west-1", "=?base64?w6k=?=", " two words ", "=?base64?PT9iYXNlNjQ/dzZrPT89?="]
        case .parameterHeaders: Self.schemaTexts
        case .schema:
            [
                ##"[{"type":["object","null"],"properties":{"a":{"$ref":"#/$defs/b"}},"required":["a"],"$defs":{"b":{}}},{"a":1}]"##,
                #"[{"items":{"type":"integer","multipleOf":0.5,"maximum":9},"minItems":1,"uniqueItems":true},[1,2.0,3e0]]"#,
                #"[{"anyOf":[{"pattern":"^[a-c]+(x|y)*$","minLength":1},{"enum":[1,null]}],"not":{"format":"date"}},"abx"]"#,
                #"[{"patternProperties":{"^a":{"const":1}},"additionalProperties":false,"minProperties":1},{"ab":1}]"#,
            ]
        case .request:
            [
                #"""
                {"model":"m","max_tokens":9,"stream":true,"temperature":0.5,"system":[{"type":"text","text":"s"}],
                "messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":
                [{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]},{"role":"user","content":
                [{"type":"tool_result","tool_use_id":"t","content":"r"}]}],"tools":[{"name":"f","input_schema":{}}]}
                """#,
                #"""
                {"model":"m","messages":[{"role":"user","content":"a","images":["iVBORw0KGgo"]},{"role":"assistant",
                "tool_calls":[{"function":{"name":"f","arguments":{}}}]},{"role":"tool","content":"r","tool_name":"f"}],
                "options":{"num_ctx":9,"stop":["a"],"top_k":3},"format":{"type":"object"},"keep_alive":"5m","think":true}
                """#,
                #"""
                {"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"function_call",
                "call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"r"}],
                "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"null"}}},"tools":[{"type":"function",
                "name":"f","parameters":{}}],"reasoning":{"effort":"low"},"previous_response_id":"resp_0"}
                """#, #"{"model":"m","text_1":"a","text_2":["b","c"]}"#, #"{"model":"m","input":["a"],"dimensions":2}"#,
            ]
        case .stream:
            [
                """
                data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}],"prompt_progress":{"total":9}}

                data: {"choices":[{"index":0,"delta":{"reasoning_content":"h"}}]}

                data: {"choices":[{"index":0,"delta":{"content":"{\\"n\\":1}"}}]}

                data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"__verbose":{"stopping_word":"x"}}

                data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3},"timings":{"prompt_ms":1.5}}

                data: [DONE]


                """,
                """
                data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{"}}]}}]}

                data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}

                data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

                data: [DONE]


                """,
            ]
        case .gguf, .safetensors, .tar, .gzip, .requestState: []
        }
    }

    private static var ggufSeed: [UInt8] {
        var bytes = ByteBuffer(string: "GGUF")
        func number(_ value: some FixedWidthInteger) { bytes.writeInteger(value, endianness: .little) }
        func text(_ text: String) {
            number(UInt64(text.utf8.count))
            bytes.writeString(text)
        }
        number(UInt32(3))
        number(UInt64(1))
        number(UInt64(6))
        for (key, value) in [("general.architecture", "llama"), ("general.type", "model")] {
            text(key)
            number(UInt32(8))
            text(value)
        }
        text("llama.context_length")
        number(UInt32(4))
        number(UInt32(2048))
        text("list")
        number(UInt32(9))
        number(UInt32(8))
        number(UInt64(2))
        text("one")
        text("two")
        text("single")
        number(UInt32(6))
        number(Float(0.5).bitPattern)
        text("double")
        number(UInt32(12))
        number(Double(-1e10).bitPattern)
        text("weight")
        number(UInt32(2))
        number(UInt64(32))
        number(UInt64(2))
        number(UInt32(8))
        number(UInt64(0))
        bytes.writeRepeatingByte(0, count: (32 - bytes.readableBytes % 32) % 32 + 68)
        return Array(bytes.readableBytesView)
    }

    private static var safetensorsSeed: [UInt8] {
        let head = """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,4],"data_offsets":[0,16]},"b":{"dtype":"F32",\
            "shape":[],"data_offsets":[16,20]}}
            """
        var bytes = ByteBuffer()
        bytes.writeInteger(UInt64(head.utf8.count), endianness: .little)
        bytes.writeString(head)
        bytes.writeRepeatingByte(1, count: 20)
        return Array(bytes.readableBytesView)
    }

    private static var tarSeed: [UInt8] {
        var bytes = Tar.head(Tar.Entry(name: "folder/", size: 0, isDirectory: true))
        let entry = Tar.Entry(name: "folder/" + String(repeating: "n", count: 120), size: 5, records: ["comment": "c"])
        bytes.writeImmutableBuffer(Tar.head(entry))
        bytes.writeString("hello")
        bytes.writeImmutableBuffer(Tar.padding(after: 5))
        bytes.writeImmutableBuffer(Tar.end)
        return Array(bytes.readableBytesView)
    }

    /// `hello ` twenty times.
    private static let gzipSeed: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 203, 72, 205, 201, 201, 87, 200, 160, 59, 9, 0, 47, 250, 248, 72, 120, 0, 0,
        0,
    ]
}
