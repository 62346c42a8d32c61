internal import Core
internal import Synchronization
internal import SystemPackage

/// The keys as requests are held against them: read again when their file changes, and counted.
final class KeyRing: Sendable {
    private struct Stamp: Equatable {
        let inode: UInt64
        let size, modified, nanoseconds: Int64
    }

    private struct State {
        var stamp: Stamp?
        var keys: [APIKey] = []
        /// What is left of each key's minute, and when that was so.
        var allowances: [String: (left: Double, at: ContinuousClock.Instant)] = [:]
    }

    private let file: KeyFile?
    private let state = Mutex(State())

    /// - Parameter file: nil: no key is right.
    init(_ file: KeyFile?) { self.file = file }

    /// The key that was presented, if its minute is not used up.
    ///
    /// - Throws: `.unauthorized`; `.resourceExhausted` with the seconds to wait; what is wrong with the file.
    func admit(_ presented: String?, now: ContinuousClock.Instant = .now) throws -> APIKey {
        guard let presented, !presented.isEmpty else {
            throw Failure(
                .unauthorized, "an API key is needed here",
                advice: "Send Authorization: Bearer KEY; make one with: docker model keys add NAME")
        }
        let hash = APIKey.hash(of: presented)
        // All of them, so that the time says nothing.
        let found = try current().filter { $0.matches(hash) }
        guard let key = found.first else { throw Failure(.unauthorized, "the API key is not known") }
        guard let rate = key.requestsPerMinute else { return key }
        let wait = state.withLock { state -> Double? in
            let (left, at) = state.allowances[key.name] ?? (Double(rate), now)
            let filled = min(Double(rate), left + (now - at).inSeconds * Double(rate) / 60)
            guard filled >= 1 else { return (1 - filled) * 60 / Double(rate) }
            state.allowances[key.name] = (filled - 1, now)
            return nil
        }
        if let wait { throw RateLimited(key: key.name, seconds: Int(wait.rounded(.up))) }
        return key
    }

    struct RateLimited: Error {
        let key: String
        let seconds: Int
    }

    private func current() throws -> [APIKey] {
        guard let file, let status = try? POSIX.status(file.path) else { return [] }
        let stamp = Stamp(
            inode: status.inode, size: status.size, modified: status.modified, nanoseconds: status.modifiedNanoseconds)
        if let known = state.withLock({ $0.stamp == stamp ? $0.keys : nil }) { return known }
        let keys = try file.keys()
        state.withLock { state in
            state.keys = keys
            state.stamp = stamp
        }
        return keys
    }
}
