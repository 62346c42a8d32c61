import Core
import NIOCore
import OCI
import SystemPackage
import TestSupport
import Testing

extension Integration {
    /// A model as Ollama's registry keeps it, put into a real registry by hand.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct OllamaModelTests {
        @Test func isPulledAndRunAndMadeIntoAnother() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let name = "\(registry.address)/library/pebble:1m"
                    try await publish(
                        [
                            (MediaType.ollamaModel, try Files.read(RealParts.pebble)),
                            (MediaType.ollamaTemplate, ByteBuffer(string: "{{ .Prompt }}")),
                            (MediaType.ollamaSystem, ByteBuffer(string: "You are Pebble.")),
                            (MediaType.ollamaParameters, ByteBuffer(string: #"{"stop":["white"],"temperature":0}"#)),
                            (MediaType.ollamaLicense, ByteBuffer(string: "MIT")),
                        ], to: registry, place)
                    let pulled = try await place.model("pull", name)
                    try #require(pulled.status == 0, "\(pulled.text)")
                    let row = try #require(try await place.model("ls").lines.last)
                    let cells = row.split(separator: " ")
                    #expect(Array(cells[1...3]) == ["1.1M", "Q8_0", "llama"], "\(row)")
                    #expect(cells.contains("2048"), "\(row)")
                    let asked = try await place.model("run", name, "What color is snow?")
                    #expect(asked.out == "Snow is \n", "\(asked.text)")
                    let shown = try JSON(parsing: try await place.model("inspect", name).out)
                    #expect(shown["customization"]?["template"] == "go (not executed)")

                    // Its weights serve another model, which says something else.
                    let modelfile = place.folder.appending("Modelfile")
                    try Files.write(ByteBuffer(string: "FROM \(name)\nPARAMETER stop blue\n"), to: modelfile)
                    let packaged = try await place.model("package", "--modelfile", modelfile.string, "mine")
                    #expect(packaged.err.contains("the GGUF file's own chat template is used"), "\(packaged.text)")
                    let snow = try await place.model("run", "mine", "What color is snow?")
                    #expect(snow.out == "Snow is white.\n", "\(snow.text)")
                    let sky = try await place.model("run", "mine", "What color is the sky?")
                    #expect(sky.out == "The sky is \n", "\(sky.text)")
                }
            }
        }

        private func publish(
            _ layers: [(type: String, bytes: ByteBuffer)], to registry: RealRegistry, _ place: Workplace
        ) async throws {
            let text = #"{"model_format":"gguf","model_family":"llama","model_type":"1.1M","file_type":"Q8_0"}"#
            let all = layers + [(MediaType.imageConfig, ByteBuffer(string: text))]
            var descriptors: [JSON] = []
            for (number, blob) in all.enumerated() {
                let digest = Digest.sha256(of: blob.bytes)
                descriptors.append(
                    Descriptor(mediaType: blob.type, digest: digest, size: Int64(blob.bytes.readableBytes)).json)
                let file = place.folder.appending("blob-\(number)")
                try Files.write(blob.bytes, to: file)
                let uploaded = try await place.run(
                    "/bin/sh",
                    [
                        "-c",
                        """
                        place=$(curl -s -o /dev/null -D - -X POST "$1/blobs/uploads/" | tr -d '\\r' |
                            sed -n 's/^[Ll]ocation: //p')
                        curl -sf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$place&digest=$3"
                        """, "sh", "http://\(registry.address)/v2/library/pebble", file.string, digest.description,
                    ])
                try #require(uploaded.status == 0, "\(uploaded.text)")
            }
            let config = descriptors.removeLast()
            let manifest: JSON = [
                "schemaVersion": 2, "mediaType": .string(MediaType.dockerManifest), "config": config,
                "layers": .array(descriptors),
            ]
            let file = place.folder.appending("manifest")
            try Files.write(manifest.bytes, to: file)
            let put = try await place.run(
                "/usr/bin/env",
                [
                    "curl", "-sf", "-X", "PUT", "-H", "Content-Type: \(MediaType.dockerManifest)", "--data-binary",
                    "@\(file)", "http://\(registry.address)/v2/library/pebble/manifests/1m",
                ])
            try #require(put.status == 0, "\(put.text)")
        }
    }
}
