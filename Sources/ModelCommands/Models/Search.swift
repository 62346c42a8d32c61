internal import ArgumentParser
internal import Commands
internal import Core
internal import DockerEngine
internal import Hub
internal import OCI
internal import Terminal

struct Search: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Search for models on Docker Hub and Hugging Face", usage: "docker model search [OPTIONS] [TERM]")

    enum Place: String, ExpressibleByArgument, CaseIterable {
        case all, dockerhub, docker, hub, huggingface, hf

        var hasDockerHub: Bool { ![.huggingface, .hf].contains(self) }
        var hasHuggingFace: Bool { [.all, .huggingface, .hf].contains(self) }
    }

    @Option(name: [.customShort("n"), .long], help: "How many results to show at the most.") var limit = 32
    @Option(help: "Where to search: all, dockerhub or huggingface.") var source = Place.all
    @Flag(help: "Show the results as JSON.") var json = false
    @Argument(help: "What the model's name or description has in it.") var term: String?

    func validate() throws {
        if !(1...1000).contains(limit) { throw ValidationError("--limit must be between 1 and 1000") }
    }

    func run() async throws {
        let context = CommandContext.current
        let (results, warnings) = try await withHTTPClient(Registry.clientConfiguration) { http in
            let agent = "docker-model-cli/\(WharfVersion.current)"
            var sources: [ModelSearch.Source] = []
            if source.hasDockerHub {
                let registry = Registry(client: http, environment: context.paths, userAgent: agent)
                let hub = try DockerHubSearch(
                    transport: http.hubTransport, environment: context.paths, userAgent: agent, registry: registry)
                sources.append(.init(SearchResult.dockerHub, search: hub.search, describe: hub.described))
            }
            if source.hasHuggingFace {
                let hub = try HuggingFace(transport: http.hubTransport, environment: context.paths, userAgent: agent)
                sources.append(.init(SearchResult.huggingFace, search: hub.search, describe: hub.described))
            }
            return try await ModelSearch(sources).run(term ?? "", limit: limit)
        }
        for warning in warnings { context.console.err.print("warning: \(warning)".printable) }
        context.console.out.print(
            json ? JSON.array(results.map(\.json)).text(indent: 4) : Self.table(results).text)
    }

    static func table(_ results: [SearchResult]) -> Table {
        var table = Table(["NAME", "DESCRIPTION", "BACKEND", "SIZE", "DOWNLOADS", "STARS", "SOURCE"])
        for result in results {
            let description = result.description
            table.append([
                result.name, description.count > 50 ? "\(description.prefix(47))..." : description, result.backend,
                result.size > 0 ? ByteCount(result.size).decimal : "n/a", count(result.downloads), count(result.stars),
                result.source,
            ])
        }
        return table
    }

    /// `1.2M`, `45.0K`
    static func count(_ number: Int) -> String {
        switch number {
        case 1_000_000...: "\((Double(number) / 1_000_000).fixed(1))M"
        case 1000...: "\((Double(number) / 1000).fixed(1))K"
        default: String(number)
        }
    }
}
