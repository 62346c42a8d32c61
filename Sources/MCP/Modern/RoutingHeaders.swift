internal import Core

/// The headers by which what stands between client and server can tell modern requests apart.
package struct RoutingHeaders: Sendable, Hashable {
    package static let versionName = "MCP-Protocol-Version"
    package static let methodName = "Mcp-Method"
    package static let nameName = "Mcp-Name"

    /// Which parameter `Mcp-Name` repeats.
    private static let named = [
        "tools/call": "name", "prompts/get": "name", "resources/read": "uri", "tasks/get": "taskId",
        "tasks/update": "taskId", "tasks/cancel": "taskId",
    ]

    /// The headers of a request that the gateway sends.
    package static func fields(
        of request: RPC.Request, revision: Revision, parameters: ParameterHeaders = ParameterHeaders()
    ) -> [(name: String, value: String)] {
        var fields = [(versionName, revision.rawValue), (methodName, HeaderText.encode(request.method))]
        if let name = named[request.method].flatMap({ request.params?[$0]?.string }) {
            fields.append((nameName, HeaderText.encode(name)))
        }
        return fields + parameters.headers(for: request.params?["arguments"])
    }

    /// Whether a request's headers say what its body says.
    ///
    /// - Parameter header: the values of a header, by a name whose case does not matter.
    /// - Throws: −32020 naming the first that is missing, repeated, or different.
    package static func check(_ request: RPC.Request, header: (String) -> [String]) throws(RPC.Error) {
        // One walk: arguments may be large.
        let members = request.params?.members(named: ["_meta", "name", "uri", "taskId"]) ?? [nil, nil, nil, nil]
        let version = members[0]?[Envelope.versionKey]
        try compare(versionName, header, with: version.map { $0.string ?? "" }, isEncoded: false)
        try compare(methodName, header, with: request.method, isEncoded: false)
        if let parameter = named[request.method] {
            let value = members[parameter == "name" ? 1 : parameter == "uri" ? 2 : 3]
            try compare(nameName, header, with: value?.string, isEncoded: true)
        }
    }

    private static func compare(
        _ name: String, _ header: (String) -> [String], with expected: String?, isEncoded: Bool
    ) throws(RPC.Error) {
        let values = header(name)
        guard values.count <= 1 else { throw .headerMismatch("\(name) is there more than once") }
        guard let value = values.first else {
            // A body that lacks the value itself gets told about that.
            if expected == nil && isEncoded { return }
            throw .headerMismatch("\(name) is missing")
        }
        guard let text = HeaderText.decode(value) else {
            throw .headerMismatch("\(name) has characters that do not belong there")
        }
        guard let expected else {
            // A missing envelope is what the envelope's own check reports.
            if !isEncoded { return }
            throw .headerMismatch("\(name) is there, but the body has no such value")
        }
        guard text == expected else { throw .headerMismatch("\(name) says something else than the body") }
    }
}
