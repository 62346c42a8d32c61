internal import Core
internal import OCI

extension HuggingFace {
    /// Repositories whose models can be run here, the most downloaded ones first; what is in them is not known yet.
    ///
    /// - Parameter limit: at most 1000.
    package func search(_ term: String, limit: Int) async throws -> [SearchResult] {
        var address = WebAddress(isSecure: base.isSecure, authority: base.authority, target: "/api/models")
            .adding("apps", "vllm,llama.cpp").adding("sort", "downloads").adding("direction", "-1")
            .adding("limit", String(min(max(limit, 1), 1000)))
        if !term.isEmpty { address = address.adding("search", term) }
        guard let models = try await json(address, of: nil).value.array else {
            throw Failure(.corrupted, "\(base.authority) answers a search in an unknown way")
        }
        return models.prefix(limit).compactMap { model in
            guard let id = model["id"]?.string ?? model["modelId"]?.string,
                let name = try? HubReference(parsing: "hf.co/\(id)")
            else { return nil }
            var result = SearchResult(name: "hf.co/\(name.repository)", source: SearchResult.huggingFace)
            result.description = model["description"]?.string ?? model["pipeline_tag"]?.string ?? ""
            result.downloads = max(0, model["downloads"]?.int ?? 0)
            result.stars = max(0, model["likes"]?.int ?? 0)
            result.updated = model["lastModified"]?.string ?? ""
            return result
        }
    }

    /// The same with backend and size, which the files of the main branch tell: the size of what a pull would bring.
    package func described(_ result: SearchResult) async throws -> SearchResult {
        var result = result
        let name = try HubReference(parsing: result.name)
        let files = try await files(of: name, at: "main")
        result.backend = SearchResult.backend(of: files.map(\.path))
        if let selection = try? HubSelection(of: files, wanted: nil, in: result.name) {
            result.size = selection.files.reduce(0) { $0 + $1.size }
        }
        return result
    }
}
