internal import Commands
package import Core
internal import ModelStore
internal import NIOHTTP1

/// The names of the models on this machine, for shells that complete them.
package enum ModelNames {
    /// A person is waiting with a finger on the key.
    static let limit = Duration.milliseconds(300)

    /// - Returns: nothing where no runner answers in time; none is started for it.
    package static func ofRunningDaemon(_ paths: Paths) async -> [String] {
        await withTaskGroup(of: [String].self) { group in
            group.addTask { (try? await ask(paths)) ?? [] }
            group.addTask {
                try? await Task.sleep(for: limit)
                return []
            }
            let names = await group.next() ?? []
            group.cancelAll()
            return names
        }
    }

    /// - Throws: `.invalidArgument` for a name of nothing, most often from a variable that is not set.
    static func check(_ name: String) throws {
        if name.allSatisfy(\.isWhitespace) {
            throw Failure(
                .invalidArgument, "the model's name is empty", advice: "Name a model, for example ai/smollm2.")
        }
    }

    private static func ask(_ paths: Paths) async throws -> [String] {
        try await withHTTPClient { http in
            guard let endpoint = try await RunnerEndpoint.find(paths, http) else { return [] }
            let models = try await RunnerClient(http: http, endpoint: endpoint).json(.GET, "/models").array ?? []
            return models.flatMap { $0["tags"]?.array ?? [] }.compactMap(\.string).map { ModelReference.display($0) }
                .sorted()
        }
    }
}
