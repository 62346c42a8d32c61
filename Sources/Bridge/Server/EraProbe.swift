package import Core
package import MCP

/// Finds out which protocol a server speaks, without making a client wait for a server that speaks the old one.
///
/// `server/discover` is asked first. A server that has not answered within a moment is asked to `initialize` as well:
/// whichever it answers settles the matter, however slow it is to start.
package struct EraProbe: Sendable {
    package enum Verdict: Sendable, Hashable {
        case handshake
        case modern(Revision)

        package var era: Era { if case .modern = self { .modern } else { .handshake } }
    }

    package enum Action: Sendable {
        case discover(Revision)
        case initialize
        /// Call `elapsed` after so long.
        case wait(Duration)
        /// The answer that settled it goes with the verdict.
        case settle(Verdict, RawJSON)
        case fail(RPC.Error)
    }

    private enum Step: Sendable { case unasked, waiting, refused }

    /// The most a client may be delayed by the question.
    package static let patience = Duration.milliseconds(50)

    private let known: Verdict?
    private var discovery = Step.unasked
    private var handshake = Step.unasked
    private var attempts = 0
    private var isSettled = false
    /// Why the handshake was refused.
    private var refusal: RPC.Error?

    /// - Parameter known: what was found out before about the same image or address.
    package init(known: Verdict? = nil) { self.known = known }

    package mutating func start() -> [Action] {
        switch known {
        case .handshake: return initialize()
        // No second question: it would only be refused.
        case .modern(let revision): return discover(revision)
        case nil: return discover(.latest) + [.wait(Self.patience)]
        }
    }

    package mutating func elapsed() -> [Action] {
        guard !isSettled, handshake == .unasked else { return [] }
        return initialize()
    }

    package mutating func discovered(_ outcome: Result<RawJSON, RPC.Error>) -> [Action] {
        guard !isSettled, discovery == .waiting else { return [] }
        switch outcome {
        case .success(let result):
            let versions = (try? result["supportedVersions"]?.parsed())?.array?.compactMap(\.string) ?? []
            if let mutual = Self.mutual(versions) { return settle(.modern(mutual), result) }
        case .failure(let error):
            if let versions = error.supportedVersions {
                if let mutual = Self.mutual(versions), attempts < 2 { return discover(mutual) }
                // It names revisions of which none is known here, not even old ones.
                if !versions.isEmpty, !versions.contains(where: { Revision(rawValue: $0) != nil }) {
                    return fail(error)
                }
            }
        }
        discovery = .refused
        switch handshake {
        case .unasked: return initialize()
        case .waiting: return []
        case .refused: return fail(refusal ?? .internalError("the server refused both handshakes"))
        }
    }

    package mutating func initialized(_ outcome: Result<RawJSON, RPC.Error>) -> [Action] {
        guard !isSettled, handshake == .waiting else { return [] }
        switch outcome {
        case .success(let result): return settle(.handshake, result)
        case .failure(let error):
            (handshake, refusal) = (.refused, error)
            switch discovery {
            // A slow starter: the first question is still to be answered.
            case .waiting: return []
            case .unasked: return discover(error.supportedVersions.flatMap(Self.mutual) ?? .latest)
            case .refused:
                if let mutual = error.supportedVersions.flatMap(Self.mutual), attempts < 2 { return discover(mutual) }
                return fail(error)
            }
        }
    }

    private static func mutual(_ versions: [String]) -> Revision? {
        Revision.modern.last { versions.contains($0.rawValue) }
    }

    private mutating func discover(_ revision: Revision) -> [Action] {
        discovery = .waiting
        attempts += 1
        return [.discover(revision)]
    }

    private mutating func initialize() -> [Action] {
        handshake = .waiting
        return [.initialize]
    }

    private mutating func settle(_ verdict: Verdict, _ answer: RawJSON) -> [Action] {
        isSettled = true
        return [.settle(verdict, answer)]
    }

    private mutating func fail(_ error: RPC.Error) -> [Action] {
        isSettled = true
        return [.fail(error)]
    }
}
