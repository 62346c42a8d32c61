internal import Core

/// Asks several sources at once, and makes one list of what they find.
package struct ModelSearch: Sendable {
    /// One place that can be searched.
    package struct Source: Sendable {
        package let name: String
        /// What there is, and no more than so many.
        package let search: @Sendable (_ term: String, _ limit: Int) async throws -> [SearchResult]
        /// The same result with backend and size.
        package let describe: @Sendable (SearchResult) async throws -> SearchResult

        package init(
            _ name: String, search: @escaping @Sendable (String, Int) async throws -> [SearchResult],
            describe: @escaping @Sendable (SearchResult) async throws -> SearchResult
        ) {
            self.name = name
            self.search = search
            self.describe = describe
        }
    }

    private static let workers = 4

    private let sources: [Source]

    /// - Parameter sources: in the order their results are shown.
    package init(_ sources: [Source]) { self.sources = sources }

    /// - Returns: what was found, and what went wrong at sources that did not answer.
    /// - Throws: the failure when no source answers.
    package func run(_ term: String, limit: Int) async throws -> (results: [SearchResult], warnings: [String]) {
        let answers = await withTaskGroup(of: (Int, Result<[SearchResult], any Error>).self) { group in
            for (place, source) in sources.enumerated() {
                group.addTask {
                    do { return (place, .success(try await source.search(term, limit))) } catch {
                        return (place, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [Int: Result<[SearchResult], any Error>]()) { $0[$1.0] = $1.1 }
        }
        try Task.checkCancellation()
        var found: [(place: Int, result: SearchResult)] = []
        var failures: [Failure] = []
        for (place, source) in sources.enumerated() {
            switch answers[place] {
            case .success(let results): found += results.map { (place, $0) }
            case .failure(let error): failures.append(Failure.wrapping(error, "cannot search \(source.name)"))
            case nil: break
            }
        }
        if failures.count == sources.count, let first = failures.first {
            guard failures.count > 1 else { throw first }
            throw Failure(first.code, failures.map(\.description).joined(separator: "; "))
        }
        return (try await describe(Array(found.prefix(limit))), failures.map(\.description))
    }

    /// Fills in backend and size, a few at a time; where that fails the rest is still worth showing.
    private func describe(_ found: [(place: Int, result: SearchResult)]) async throws -> [SearchResult] {
        var results = found.map(\.result)
        var waiting = Array(found.indices)[...]
        await withTaskGroup(of: (Int, SearchResult?).self) { group in
            func startNext() {
                guard let number = waiting.popFirst() else { return }
                let (source, result) = (sources[found[number].place], found[number].result)
                group.addTask { (number, try? await source.describe(result)) }
            }
            for _ in 0..<Self.workers { startNext() }
            while let (number, described) = await group.next() {
                if let described { results[number] = described }
                startNext()
            }
        }
        try Task.checkCancellation()
        return results
    }
}
