package import Core
package import SystemPackage

/// What a model is made of: where its weights come from, and what is put beside or in place of the source's own.
package struct PackageRecipe: Sendable {
    package enum Source: Sendable, Hashable {
        /// A whole file, or the first of several parts `x-00001-of-0000N.gguf`.
        case gguf(FilePath)
        /// A folder with `*.safetensors` and what belongs to them.
        case safetensors(FilePath)
        /// A stored model, by any of its names.
        case model(String)
    }

    /// The formats that are written.
    package enum Format: String, Sendable, CaseIterable {
        case docker
        case cncf
    }

    package enum Text: Sendable, Hashable {
        case file(FilePath)
        case inline(String)
    }

    package var source: Source
    /// nil keeps a stored model's own format; everything else becomes docker's.
    package var format: Format?
    /// Tokens to run with.
    package var contextSize: Int?
    package var chatTemplate: Text?
    package var projector: FilePath?
    package var adapters: [FilePath] = []
    package var licences: [Text] = []
    package var system: String?
    package var parameters = ModelParameters()
    /// A template in Go's language, which is kept but not executed.
    package var goTemplate: String?
    package var messages: [Customization.Message] = []
    /// The time the model was made; nil takes `SOURCE_DATE_EPOCH`, else the newest of the source's files, else the
    /// stored model's own time.
    package var created: Timestamp?

    package init(_ source: Source) { self.source = source }
}

/// How far the storing of one file has come.
package struct PackageProgress: Sendable, Hashable {
    /// The file's name.
    package let file: String
    /// Bytes.
    package let current: Int64
    package let total: Int64
}
