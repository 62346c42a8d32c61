internal import Core
internal import SystemPackage

extension ModelStore {
    /// Removes all models with all their files, and leaves an empty store.
    ///
    /// Only what belongs to a store is touched: the folder may have been chosen carelessly.
    ///
    /// - Throws: `.failedPrecondition` where the folder is no store; `.conflict` while a model is being downloaded.
    package func purge() throws {
        let layout = root.appending("layout.json")
        guard Files.exists(layout) else {
            throw Failure(
                .failedPrecondition, "\(root) has no layout.json, so it may not be a model store; nothing is removed",
                advice: "Check MODELS_PATH")
        }
        try locked {
            guard try leased().isEmpty, !isDownloading() else {
                throw Failure(
                    .conflict, "a model is being downloaded into \(root)",
                    advice: "Wait for it, or cancel it, and purge again")
            }
            // The list is emptied first, so that it never names what is gone, and what is left if this ends early can be
            // pruned. It is not read: it may be what is damaged.
            try Files.write(StoreIndex().bytes, to: indexPath)
            for name in ["bundles", "manifests", "blobs"] + Self.ownEntries {
                try Files.remove(root.appending(name))
            }
            for name in (try? POSIX.list(root)) ?? [] where name.hasPrefix(".") && name.hasSuffix(".tmp") {
                try Files.remove(root.appending(name))
            }
        }
    }
}
