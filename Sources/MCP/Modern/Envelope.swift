package import Core
internal import NIOCore

/// What a modern request says of its sender, in `params._meta`: that which a handshake would have settled.
package struct Envelope: Sendable, Hashable {
    package static let prefix = "io.modelcontextprotocol/"
    package static let versionKey = prefix + "protocolVersion"
    package static let capabilitiesKey = prefix + "clientCapabilities"
    package static let clientKey = prefix + "clientInfo"
    package static let levelKey = prefix + "logLevel"
    package static let serverKey = prefix + "serverInfo"
    package static let subscriptionKey = prefix + "subscriptionId"
    private static let keys = [versionKey, capabilitiesKey, clientKey, levelKey]

    package let revision: Revision
    /// An object.
    package let capabilities: RawJSON
    /// Self-declared: for people to read, never for a decision.
    package let client: RawJSON?
    /// Without one the client gets no log messages.
    package let level: LogLevel?

    package init(
        revision: Revision = .latest, capabilities: RawJSON, client: RawJSON? = nil, level: LogLevel? = nil
    ) {
        self.revision = revision
        self.capabilities = capabilities
        self.client = client
        self.level = level
    }

    /// Whether parameters claim to have an envelope; it may still be wrong.
    package static func isMarked(_ params: RawJSON?) -> Bool { params?["_meta"]?[versionKey] != nil }

    /// - Throws: −32602 for what is missing or has the wrong shape, −32022 for a revision that is not known.
    package init(of params: RawJSON?) throws(RPC.Error) {
        guard let meta = params?["_meta"], meta.isObject else {
            throw .invalidParams(
                "params._meta must be an object with \(Self.versionKey) and \(Self.capabilitiesKey)")
        }
        let members = meta.members(named: [
            "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities",
            "io.modelcontextprotocol/clientInfo", "io.modelcontextprotocol/logLevel",
        ])
        guard let version = members[0] else {
            throw .invalidParams("params._meta is without \(Self.versionKey)")
        }
        guard let capabilities = members[1], capabilities.isObject else {
            throw .invalidParams("params._meta has no object \(Self.capabilitiesKey)")
        }
        guard let text = version.string else { throw .invalidParams("\(Self.versionKey) is not a string") }
        guard let revision = Revision(rawValue: text), revision.era == .modern else {
            throw .unsupportedVersion(text)
        }
        let client = members[2].flatMap { $0.isNull ? nil : $0 }
        guard client?.isObject ?? true else { throw .invalidParams("\(Self.clientKey) is not an object") }
        let level = members[3].flatMap { $0.isNull ? nil : $0 }
        if let level {
            guard let known = level.string.flatMap(LogLevel.init(rawValue:)) else {
                throw .invalidParams("\(Self.levelKey) is none of \(LogLevel.names)")
            }
            self.level = known
        } else {
            self.level = nil
        }
        (self.revision, self.capabilities, self.client) = (revision, capabilities, client)
    }

    /// Parameters with this envelope instead of whatever they had; everything else in `_meta` stays.
    package func written(into params: RawJSON?) -> RawJSON {
        var meta = params?["_meta"].flatMap { $0.isObject ? $0.removing(Self.keys).members() : nil } ?? []
        meta.append((Self.versionKey, RawJSON(.string(revision.rawValue))))
        meta.append((Self.capabilitiesKey, capabilities))
        if let client { meta.append((Self.clientKey, client)) }
        if let level { meta.append((Self.levelKey, RawJSON(.string(level.rawValue)))) }
        return (params ?? RawJSON([:])).replacing("_meta", with: RawJSON(object: meta))
    }

    /// Parameters as the handshake era has them: without an envelope, and without a `_meta` that held nothing else.
    package static func stripped(from params: RawJSON) -> RawJSON {
        guard let meta = params["_meta"], meta.isObject else { return params }
        let rest = meta.removing(keys)
        if rest == meta { return params }
        return rest.members().isEmpty ? params.removing(["_meta"]) : params.replacing("_meta", with: rest)
    }
}
