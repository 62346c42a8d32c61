internal import Core
internal import Hub
internal import OCI
internal import SystemPackage

/// A model that another tool keeps on this machine, found but not looked into.
package struct ForeignModel: Sendable {
    struct File: Sendable {
        /// What it is for in a model that is put together here; nil in one that comes with a manifest.
        let role: ModelAssembly.Role?
        /// Below the model.
        let path: String
        /// Where it is, its links resolved.
        let source: FilePath
        let check: Check
    }

    /// What a file's bytes must turn out to be.
    enum Check: Sendable, Hashable {
        case sha256(Digest)
        /// Git's name for them.
        case git(String)
    }

    enum Kind: Sendable {
        /// It has a manifest, which is kept as it is: nothing is lost, and it has the id that a pull would give it.
        case artifact(Manifest)
        /// Only files: a model is put together of them.
        case files(ModelAssembly.Origin)
    }

    /// What it is called here.
    package let name: ModelReference
    let files: [File]
    let kind: Kind
    /// Bytes of all its files.
    package let size: Int64

    init(name: ModelReference, files: [File], kind: Kind) throws {
        self.name = name
        self.files = files
        self.kind = kind
        size = try files.reduce(0) { total, file in
            try total + Files.wrap("cannot read \(file.source)") { try POSIX.status(file.source).size }
        }
    }
}

/// All models found in a cache, and why others are none.
package struct ForeignModels: Sendable {
    package internal(set) var models: [ForeignModel] = []
    /// One line for each model that cannot be taken over.
    package internal(set) var problems: [String] = []

    /// Notes a model, or why it is none.
    mutating func add(_ name: String, _ make: () throws -> ForeignModel) {
        do { models.append(try make()) } catch { problems.append("\(name): \(Failure.text(of: error))") }
    }

    /// Those of these names, by any spelling; all where there are none.
    ///
    /// - Throws: `.notFound` for a name that is not there.
    package func named(_ names: [String]) throws -> ForeignModels {
        guard !names.isEmpty else { return self }
        var found = ForeignModels()
        for name in names {
            let wanted = try? ModelReference(parsing: name).canonical
            let last = models.filter { model in
                let canonical = model.name.canonical
                return canonical == wanted || canonical == name || canonical.hasSuffix("/\(name)")
                    || canonical.hasSuffix("/\(name):latest")
            }
            if last.isEmpty {
                let problem = problems.first { $0.hasPrefix("\(name):") || $0.contains("/\(name):") }
                throw Failure(
                    .notFound, problem ?? "no model \(name) is there",
                    advice: "See what there is with --dry-run and without a name")
            }
            found.models += last.filter { model in !found.models.contains { $0.name == model.name } }
        }
        return found
    }
}
