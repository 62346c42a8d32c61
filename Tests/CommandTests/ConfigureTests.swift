import ArgumentParser
import Commands
import Core
import Testing

@testable import ModelCommands

@Suite struct ConfigureTests {
    @Test(arguments: [
        ("pebble", #"{"model":"pebble"}"#),
        (
            "--context-size 4096 ai/x -- --temp 0.7",
            #"{"model":"ai/x","context-size":4096,"runtime-flags":["--temp","0.7"]}"#
        ),
        ("--context-size -1 --keep-alive -1 x", #"{"model":"x","context-size":-1,"keep_alive":"-1"}"#),
        ("--think x", #"{"model":"x","llamacpp":{"reasoning-budget":-1}}"#),
        ("--no-think x", #"{"model":"x","llamacpp":{"reasoning-budget":0}}"#),
        (
            "--reasoning-budget=-1 --mode embedding --slots 3 x",
            #"{"model":"x","mode":"embedding","slots":3,"llamacpp":{"reasoning-budget":-1}}"#
        ),
        (
            "--speculative-draft-model s --speculative-num-tokens 5 --speculative-min-acceptance-rate 0.5 x",
            #"{"model":"x","speculative":{"draft_model":"s","num_tokens":5,"min_acceptance_rate":0.5}}"#
        ),
        (
            #"--hf_overrides {"a":1} --gpu-memory-utilization 0.5 x"#,
            #"{"model":"x","vllm":{"gpu-memory-utilization":0.5,"hf-overrides":{"a":1}}}"#
        ),
        // What is set goes over what is taken back.
        ("--unset slots --unset keep-alive --slots 2 x", #"{"model":"x","slots":2,"keep_alive":null}"#),
        (
            "--unset all x",
            #"{"model":"x","context-size":null,"keep_alive":null,"mode":null,"llamacpp":{"reasoning-budget":null},"#
                + #""runtime-flags":null,"slots":null,"speculative":null,"vllm":null}"#
        ),
    ])
    func whatIsSent(line: String, body: String) throws {
        #expect(try Configure.parse(line.split(separator: " ").map(String.init)).body().text == body)
    }

    @Test(arguments: [
        "", "--mode dream x", "--unset rain x", "a b", "--think --reasoning-budget 1 x", "--context-size x",
    ])
    func whatIsNoConfiguration(line: String) {
        #expect(throws: (any Error).self) { try Configure.parse(line.split(separator: " ").map(String.init)) }
    }
}

@Suite struct SecondsTests {
    @Test(
        arguments: [
            ("30", 30), ("30s", 30), ("1h2m3s", 3723), ("5m", 300), ("0", 0), ("", nil), ("-1", nil), ("x", nil),
            ("1e99", nil), ("99999999999999999999", nil), ("30000000h", nil),
        ] as [(String, Int64?)])
    func durations(text: String, seconds: Int64?) {
        #expect(Seconds(argument: text)?.count == seconds)
    }
}
