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
    package static let chatTemplate = "application/vnd.docker.ai.chat.template.jinja"
    package static let license = "application/vnd.docker.ai.license"
    package static let modelFile = "application/vnd.docker.ai.model.file"

    /// CNCF ModelPack.
    package static let modelPackManifest = "application/vnd.cncf.model.manifest.v1+json"
    package static let modelPackConfig = "application/vnd.cncf.model.config.v1+json"
    package static let modelPackWeight = "application/vnd.cncf.model.weight.v1.raw"
    package static let modelPackWeightGGUF = "application/vnd.cncf.model.weight.v1.gguf"
    package static let modelPackWeightSafetensors = "application/vnd.cncf.model.weight.v1.safetensors"
    package static let modelPackWeightConfig = "application/vnd.cncf.model.weight.config.v1.raw"
    package static let modelPackDoc = "application/vnd.cncf.model.doc.v1.raw"
}

/// Names of annotations on a layer that holds one file.
package enum Annotation {
    /// The file's path relative to the model's folder, `/` between its parts.
    package static let filePath = "org.cncf.model.filepath"
    /// A JSON text with name, mode, size and time.
    package static let fileMetadata = "org.cncf.model.file.metadata+json"
    package static let mediaTypeUntested = "org.cncf.model.file.mediatype.untested"
}
