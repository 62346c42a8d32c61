package import Core

/// The members of a result that only the modern protocol has.
package enum ModernResult {
    package enum Kind: Sendable, Hashable {
        case complete
        case inputRequired
        /// Of an extension, as `task` is.
        case other(String)
    }

    private static let cachingMembers = ["ttlMs", "cacheScope"]

    /// Methods whose complete results say how long they may be kept.
    package static let cacheable: Set<String> = [
        "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read",
    ]

    /// What a result is. Without `resultType` it is complete: the text says so of earlier servers, and some modern ones
    /// leave it out.
    ///
    /// - Throws: −32603 for a `resultType` that is no string.
    package static func kind(of result: RawJSON) throws(RPC.Error) -> Kind {
        try kind(type: result["resultType"])
    }

    package static func kind(type: RawJSON?) throws(RPC.Error) -> Kind {
        guard let type else { return .complete }
        switch type.string {
        case "complete": return .complete
        case "input_required": return .inputRequired
        case let name?: return .other(name)
        case nil: throw .internalError("the server's result has a resultType that is no string")
        }
    }

    /// A result of the handshake era as a modern one; what it has already stays.
    ///
    /// - Parameter server: what to say of the server that answers.
    package static func complete(_ result: RawJSON, of method: String, server: RawJSON) -> RawJSON {
        complete(members: result.members(), of: method, server: server)
    }

    /// - Parameter members: those of the result, for who has walked over it already.
    package static func complete(
        members: [(name: String, value: RawJSON)], of method: String, server: RawJSON
    ) -> RawJSON {
        let names = Set(members.map(\.name))
        var out = members.filter { $0.name != "_meta" }
        if !names.contains("resultType") { out.insert(("resultType", RawJSON("complete")), at: 0) }
        if cacheable.contains(method) {
            if !names.contains("ttlMs") { out.append(("ttlMs", RawJSON(0))) }
            if !names.contains("cacheScope") { out.append(("cacheScope", RawJSON("private"))) }
        }
        let meta = members.last { $0.name == "_meta" }?.value
        out.append(("_meta", stamped(meta, server: server)))
        return RawJSON(object: out)
    }

    /// A modern result as the handshake era has it.
    package static func plain(_ result: RawJSON, of method: String) -> RawJSON {
        var dropped = ["resultType"]
        if cacheable.contains(method) { dropped += cachingMembers }
        var rest = result.removing(dropped)
        if let meta = rest["_meta"], meta[Envelope.serverKey] != nil {
            let others = meta.removing([Envelope.serverKey])
            rest = others.members().isEmpty ? rest.removing(["_meta"]) : rest.replacing("_meta", with: others)
        }
        return rest
    }

    private static func stamped(_ meta: RawJSON?, server: RawJSON) -> RawJSON {
        guard let meta, meta.isObject else { return RawJSON(object: [(name: Envelope.serverKey, value: server)]) }
        return meta[Envelope.serverKey] == nil ? meta.replacing(Envelope.serverKey, with: server) : meta
    }
}

/// What a modern server wants to know before it goes on: a result with `resultType` `input_required`.
package struct InputRequired: Sendable {
    package struct Ask: Sendable, Hashable {
        package let key: String
        package let method: String
        package let params: RawJSON?

        package init(key: String, method: String, params: RawJSON?) {
            self.key = key
            self.method = method
            self.params = params
        }
    }

    /// The calls that may be answered so.
    package static let methods: Set<String> = ["tools/call", "prompts/get", "resources/read"]
    private static let askable: Set<String> = ["elicitation/create", "sampling/createMessage", "roots/list"]
    package static let maximumAsks = 64

    package let asks: [Ask]
    package let state: RawJSON?

    package init(asks: [Ask], state: RawJSON?) {
        self.asks = asks
        self.state = state
    }

    /// - Throws: −32603 for a result without either part, or with requests that may not be made so.
    package init(_ result: RawJSON) throws(RPC.Error) {
        state = result["requestState"].flatMap { $0.isNull ? nil : $0 }
        guard state?.string != nil || state == nil else {
            throw .internalError("the server's requestState is no string")
        }
        let requests = result["inputRequests"].flatMap { $0.isNull ? nil : $0 }
        guard requests != nil || state != nil else {
            throw .internalError("the server wants input but says neither what nor with which state")
        }
        let members = requests?.members() ?? []
        guard requests?.isObject ?? true, members.count <= Self.maximumAsks else {
            throw .internalError("the server's inputRequests are no object, or more than \(Self.maximumAsks)")
        }
        var asks: [Ask] = []
        for (key, request) in members {
            guard let method = request["method"]?.string, Self.askable.contains(method), key.utf8.count <= 256 else {
                throw .internalError("the server wants input by a method that is not meant for it")
            }
            asks.append(Ask(key: key, method: method, params: request["params"]))
        }
        self.asks = asks
    }

    package var json: RawJSON {
        var members: [(name: String, value: RawJSON)] = [("resultType", RawJSON("input_required"))]
        if !asks.isEmpty {
            let requests = asks.map { ask -> (name: String, value: RawJSON) in
                var request: [(name: String, value: RawJSON)] = [("method", RawJSON(.string(ask.method)))]
                if let params = ask.params { request.append(("params", params)) }
                return (ask.key, RawJSON(object: request))
            }
            members.append(("inputRequests", RawJSON(object: requests)))
        }
        if let state { members.append(("requestState", state)) }
        return RawJSON(object: members)
    }
}
