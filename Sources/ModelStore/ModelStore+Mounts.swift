internal import OCI

extension ModelStore {
    /// Repositories of a reference's registry in which a blob probably is: those whose names models with it have here.
    ///
    /// The target itself is none of them. Sorted, a few at the most.
    func repositories(holding digest: Digest, besides target: Reference) -> [String] {
        var found = Set<String>()
        for model in (try? models()) ?? [] {
            guard
                model.manifest.config.digest == digest || model.manifest.layers.contains(where: { $0.digest == digest })
            else { continue }
            for tag in model.tags {
                guard let reference = try? Reference(parsing: tag), reference.registry == target.registry,
                    reference.repository != target.repository
                else { continue }
                found.insert(reference.repository)
            }
        }
        return Array(found.sorted().prefix(Self.maximumMounts))
    }

    private static let maximumMounts = 3
}
