import ArgumentParser
import Testing

@testable import ModelCommands

@Suite struct PackageOptionTests {
    @Test(
        arguments: [
            (["x"], "one of --gguf, --safetensors-dir, --from and --modelfile is required"),
            (["--gguf", "a", "--from", "b", "x"], "--gguf and --from cannot be used together"),
            (
                ["--safetensors-dir", "a", "--modelfile", "b", "x"],
                "--safetensors-dir and --modelfile cannot be used together"
            ),
            (["--safetensors-dir", "a", "--lora", "b", "x"], "--mmproj and --lora go with GGUF models only"),
            (["--gguf", "a", "--context-size", "0", "x"], "--context-size must be larger than 0"),
            (["--gguf", "a", "--format", "oci", "x"], "--format must be docker or cncf"),
            (["--gguf", "a", "--format", "cncf", "--context-size", "1", "x"], "--context-size cannot be used with"),
        ] as [([String], String)]) func saysWhichOptionsDoNotGoTogether(_ arguments: [String], _ message: String)
    {
        let error = #expect(throws: (any Error).self) { try Package.parse(arguments) }
        #expect(error.map { Package.message(for: $0) }?.contains(message) == true)
    }

    @Test(arguments: [
        ["--gguf", "a.gguf", "-l", "one", "--license", "two", "--mmproj", "p", "--lora", "c", "--lora", "d", "x"],
        ["--from", "y", "--context-size", "4096", "--push", "x"],
        ["--modelfile", "Modelfile", "--format", "cncf", "x"], ["--safetensors-dir", ".", "--chat-template", "t", "x"],
    ]) func takesWhatGoesTogether(_ arguments: [String]) throws {
        #expect(try Package.parse(arguments).model == "x")
    }
}
