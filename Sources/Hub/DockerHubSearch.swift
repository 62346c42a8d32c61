internal import AsyncHTTPClient
package import Core
internal import NIOCore
internal import NIOHTTP1
package import OCI

/// Looks for models among those of Docker Hub's `ai` organisation.
package struct DockerHubSearch: Sendable {
    private let transport: HubTransport
    private let base: WebAddress
    private let userAgent: String
    private let registry: Registry

    private static let organization = "ai"
    private static let pageSize = 100
    private static let maximumPages = 20
    private static let maximumAnswer = 8 << 20

    /// `DOCKER_HUB_ENDPOINT` stands in for the hub's API.
    ///
    /// - Parameter registry: asked for what is in a model.
    /// - Throws: `.invalidArgument` for an endpoint that is no address.
    package init(
        transport: @escaping HubTransport, environment: Paths, userAgent: String, registry: Registry
    ) throws {
        guard let base = WebAddress(environment.setting("DOCKER_HUB_ENDPOINT") ?? "https://hub.docker.com"),
            base.target == "/"
        else {
            throw Failure(
                .invalidArgument, "DOCKER_HUB_ENDPOINT is no address",
                advice: "Write it as https://HOST, without a path")
        }
        self.transport = transport
        self.base = base
        self.userAgent = userAgent
        self.registry = registry
    }

    /// Models with the term in their name or description, the most pulled ones first.
    ///
    /// - Throws: `.unavailable` and the like; `.corrupted` for an answer of another kind.
    package func search(_ term: String, limit: Int) async throws -> [SearchResult] {
        let path = "/v2/repositories/\(Self.organization)/?page_size=\(Self.pageSize)&ordering=pull_count"
        var next = WebAddress(isSecure: base.isSecure, authority: base.authority, target: path)
        var found: [SearchResult] = []
        for _ in 0..<Self.maximumPages {
            let page = try await json(next)
            guard let results = page["results"]?.array else {
                throw Failure(.corrupted, "\(base.authority) does not answer as Docker Hub does")
            }
            found += results.compactMap(Self.result).filter { $0.has(term) }
            guard found.count < limit, let text = page["next"]?.string else { break }
            guard let address = next.resolving(text), address.isSameOrigin(as: base) else {
                throw Failure(.corrupted, "\(base.authority) names no valid address for its next page")
            }
            next = address
        }
        return Array(found.prefix(limit))
    }

    private static func result(_ json: JSON) -> SearchResult? {
        guard let name = json["name"]?.string,
            let reference = try? Reference(parsing: "\(Reference.defaultRegistry)/\(organization)/\(name)")
        else { return nil }
        var result = SearchResult(name: reference.repository, source: SearchResult.dockerHub)
        result.description = json["description"]?.string ?? ""
        result.downloads = max(0, json["pull_count"]?.int ?? 0)
        result.stars = max(0, json["star_count"]?.int ?? 0)
        result.updated = json["last_updated"]?.string ?? ""
        result.isOfficial = true
        return result
    }

    private func json(_ address: WebAddress) async throws -> JSON {
        var request = HTTPClientRequest(url: address.description)
        request.headers.add(name: "User-Agent", value: userAgent)
        do {
            let response = try await transport(request, address, .now() + .seconds(60))
            let bytes = try await withDeadline(.seconds(60), "\(base.authority) has not ended its answer in 60 s") {
                try await response.body.collect(upTo: Self.maximumAnswer)
            }
            guard response.status == .ok else {
                throw Failure(.unavailable, "\(base.authority) answered \(response.status.code)")
            }
            return try JSON(parsing: bytes)
        } catch let failure as Failure where failure.code == .invalidArgument {
            throw Failure(.corrupted, "\(base.authority) does not answer as Docker Hub does")
        } catch { throw HuggingFace.unreachable(error, "cannot reach \(base.authority)") }
    }

    /// The same with backend and size, which the manifest of `latest` tells.
    package func described(_ result: SearchResult) async throws -> SearchResult {
        var result = result
        let reference = try Reference(parsing: "\(Reference.defaultRegistry)/\(result.name):latest")
        let layers = try await registry.resolve(reference).layers
        result.size = layers.reduce(0) { $0 + $1.size }
        result.backend = SearchResult.backend(
            of: layers.map { layer in
                switch layer.mediaType {
                case MediaType.gguf, MediaType.modelPackWeightGGUF: ".gguf"
                case MediaType.safetensors, MediaType.modelPackWeightSafetensors: ".safetensors"
                case MediaType.dduf: ".dduf"
                default: layer.annotations[Annotation.filePath] ?? ""
                }
            })
        return result
    }
}

extension SearchResult {
    fileprivate func has(_ term: String) -> Bool {
        term.isEmpty || name.lowercased().contains(term.lowercased())
            || description.lowercased().contains(term.lowercased())
    }
}
