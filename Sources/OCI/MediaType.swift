/// The media types this product reads or writes.
package enum MediaType {
    package static let manifest = "application/vnd.oci.image.manifest.v1+json"
    package static let index = "application/vnd.oci.image.index.v1+json"
    package static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    package static let dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"

    /// Model configurations: one weights file, or one layer per file of a folder.
    package static let modelConfig = "application/vnd.docker.ai.model.config.v0.1+json"
    package static let modelConfigV02 = "application/vnd.docker.ai.model.config.v0.2+json"
    package static let gguf = "application/vnd.docker.ai.gguf.v3"
    package static let safetensors = "application/vnd.docker.ai.safetensors"
    package static let dduf = "application/vnd.docker.ai.dduf"
    package static let multimodalProjector = "application/vnd.docker.ai.mmproj"
    /// The projector's and the LoRA adapter's types in docker's specification of models.
    package static let multimodalProjectorGGUF = "application/vnd.docker.ai.gguf.v3.mmproj"
    package static let loraAdapter = "application/vnd.docker.ai.gguf.v3.lora"
    package static let chatTemplate = "application/vnd.docker.ai.chat.template.jinja"
    package static let license = "application/vnd.docker.ai.license"
    package static let modelFile = "application/vnd.docker.ai.model.file"
    /// Folders as one uncompressed tar archive.
    package static let directoryTar = "application/vnd.docker.ai.dir.tar"
    package static let vllmConfigTar = "application/vnd.docker.ai.vllm.config.tar"

    /// CNCF ModelPack.
    package static let modelPackManifest = "application/vnd.cncf.model.manifest.v1+json"
    package static let modelPackConfig = "application/vnd.cncf.model.config.v1+json"
    package static let modelPackWeight = "application/vnd.cncf.model.weight.v1.raw"
    package static let modelPackWeightGGUF = "application/vnd.cncf.model.weight.v1.gguf"
    package static let modelPackWeightSafetensors = "application/vnd.cncf.model.weight.v1.safetensors"
    package static let modelPackWeightConfig = "application/vnd.cncf.model.weight.config.v1.raw"
    package static let modelPackDoc = "application/vnd.cncf.model.doc.v1.raw"
    package static let modelPackWeightTar = "application/vnd.cncf.model.weight.v1.tar"
    package static let modelPackWeightConfigTar = "application/vnd.cncf.model.weight.config.v1.tar"
    package static let modelPackDocTar = "application/vnd.cncf.model.doc.v1.tar"
    /// ModelPack's archives are compressed where their type ends like this.
    package static let gzip = "+gzip"
    package static let zstd = "+zstd"

    /// Models as Ollama's registry keeps them: an image's configuration, and layers of these types.
    package static let imageConfig = "application/vnd.docker.container.image.v1+json"
    package static let ollamaModel = "application/vnd.ollama.image.model"
    package static let ollamaProjector = "application/vnd.ollama.image.projector"
    package static let ollamaAdapter = "application/vnd.ollama.image.adapter"
    package static let ollamaTemplate = "application/vnd.ollama.image.template"
    package static let ollamaSystem = "application/vnd.ollama.image.system"
    package static let ollamaParameters = "application/vnd.ollama.image.params"
    package static let ollamaMessages = "application/vnd.ollama.image.messages"
    package static let ollamaLicense = "application/vnd.ollama.image.license"

    /// What a Modelfile says besides the weights, in layers of our own: docker's types have no words for it. Their
    /// content is that of Ollama's layers.
    package static let systemPrompt = "application/vnd.wharf.model.system.v1"
    package static let parameters = "application/vnd.wharf.model.parameters.v1+json"
    package static let messages = "application/vnd.wharf.model.messages.v1+json"
    package static let goTemplate = "application/vnd.wharf.model.template.v1.go"
}

/// Names of annotations on a layer that holds one file.
package enum Annotation {
    /// The file's path relative to the model's folder, `/` between its parts.
    package static let filePath = "org.cncf.model.filepath"
    /// A JSON text with name, mode, size and time.
    package static let fileMetadata = "org.cncf.model.file.metadata+json"
    package static let mediaTypeUntested = "org.cncf.model.file.mediatype.untested"
    /// Marks a LoRA adapter among ModelPack's weights, which have no type for it; the value is `lora`.
    package static let role = "io.wharf.model.role"
}
