package import Core

/// A model that a search has found.
package struct SearchResult: Hashable, Sendable {
    /// As it is pulled: `ai/smollm2`, `hf.co/owner/name`.
    package var name: String
    package var description = ""
    package var downloads = 0
    package var stars = 0
    /// `Docker Hub` or `HuggingFace`.
    package var source: String
    package var isOfficial = false
    /// As the source writes it.
    package var updated = ""
    /// What runs it: `llama.cpp`, `vllm`, `diffusers`, several with commas, or `unknown`.
    package var backend = "unknown"
    /// Bytes; 0 where nobody says.
    package var size: Int64 = 0

    package static let dockerHub = "Docker Hub"
    package static let huggingFace = "HuggingFace"

    package init(name: String, source: String) {
        self.name = name
        self.source = source
    }

    /// The result as the original's `--json` has it.
    package var json: JSON {
        [
            "Name": .string(name), "Description": .string(description), "Downloads": .int(downloads),
            "Stars": .int(stars), "Source": .string(source), "Official": .bool(isOfficial),
            "UpdatedAt": .string(updated), "Backend": .string(backend), "Size": .int(size),
        ]
    }

    /// What runs files with these names.
    static func backend(of names: some Sequence<String>) -> String {
        let names = names.map { $0.lowercased() }
        let kinds = [(".gguf", "llama.cpp"), (".safetensors", "vllm"), (".dduf", "diffusers")]
        let found = kinds.filter { ending, _ in names.contains { $0.hasSuffix(ending) } }.map(\.1)
        return found.isEmpty ? "unknown" : found.joined(separator: ", ")
    }
}
