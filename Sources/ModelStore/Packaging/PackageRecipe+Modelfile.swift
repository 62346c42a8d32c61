internal import Core
internal import NIOCore
package import SystemPackage

extension PackageRecipe {
    /// What a Modelfile describes. Its paths are relative to its folder.
    ///
    /// - Throws: `.notFound`; `.invalidArgument` naming the line that makes no sense.
    package init(modelfile path: FilePath) throws {
        let file = try Modelfile(parsing: Files.read(path, limit: Modelfile.maximumBytes))
        let folder = path.removingLastComponent()
        guard let source = file.sources.first else { throw Failure(.invalidArgument, "the Modelfile has no FROM") }
        self.init(try Self.source(source, in: folder))
        for more in file.sources.dropFirst() {
            // Ollama writes a model's projector as one more FROM.
            guard let place = Self.place(more.text, in: folder), let head = try? GGUF(reading: place),
                head.content == .projector, projector == nil
            else {
                throw Modelfile.failure(
                    more.line, "a second FROM that is not the file of a multimodal projector", "Leave it out")
            }
            projector = place
        }
        adapters = try file.adapters.map { adapter in
            guard let place = Self.place(adapter.text, in: folder) else {
                throw Modelfile.failure(
                    adapter.line, "there is no file \(JSON.quoted(String(adapter.text.prefix(200))))",
                    "Adapters are GGUF files; the path is relative to the Modelfile")
            }
            return place
        }
        licences = file.licences.map { .inline($0.text) }
        if let template = file.template?.text {
            // Only Jinja has this; Go's templates begin everything with two braces.
            if template.contains("{%") { chatTemplate = .inline(template) } else { goTemplate = template }
        }
        system = file.system?.text
        parameters = file.parameters
        messages = file.messages
    }

    private static func source(_ value: Modelfile.Value, in folder: FilePath) throws -> Source {
        if let place = place(value.text, in: folder) {
            let isDirectory = (try? POSIX.status(place))?.isDirectory == true
            return isDirectory ? .safetensors(place) : .gguf(place)
        }
        let isPath = ["/", "./", "../", "~"].contains { value.text.hasPrefix($0) }
        guard !isPath, (try? ModelReference(parsing: value.text)) != nil else {
            throw Modelfile.failure(
                value.line, "there is no file or model \(JSON.quoted(String(value.text.prefix(200))))",
                "Paths are relative to the Modelfile")
        }
        return .model(value.text)
    }

    /// Where a path leads that a Modelfile in this folder has; nil where nothing is.
    private static func place(_ path: String, in folder: FilePath) -> FilePath? {
        guard !path.utf8.contains(0) else { return nil }
        let place = folder.pushing(FilePath(path)).lexicallyNormalized()
        return Files.exists(place) ? place : nil
    }
}
