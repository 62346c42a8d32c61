internal import Core
internal import MCP

/// Where a client's request goes, under which names, and what becomes of the answer.
struct Plan: Sendable {
    enum Effect: Sendable {
        case none
        case subscribe(shown: String)
        case unsubscribe(shown: String)
        /// The tool may have begun a task.
        case task
        /// About a task that the client knows under this id.
        case taskID(String)
    }

    let server: String
    let method: String
    var params: RawJSON?
    /// The tool that is called, by its own name.
    var tool: String?
    /// The server's own URIs that clients see others of.
    var rewritten: [String: String] = [:]
    var effect = Effect.none

    /// - Returns: nil for what no server is known to have.
    /// - Throws: −32602 for parameters without what tells where they belong.
    static func make(
        _ request: RPC.Request, _ surface: Surface, task: (String) -> TaskTable.Place?
    ) throws(RPC.Error) -> Plan? {
        let params = request.params ?? RawJSON([:])
        var plan: Plan?
        switch request.method {
        case "tools/call":
            let members = params.members(named: ["name", "task", "_meta"])
            guard let name = members[0]?.string else { throw .invalidParams("tools/call without a name") }
            guard let route = surface.route(.tools, name) else { return nil }
            plan = Plan(request, route, params, "name", of: name)
            plan?.tool = route.name
            // In the modern protocol it is the server that decides.
            let mayBecomeTask = members[1].map { !$0.isNull } ?? (members[2]?[Envelope.versionKey] != nil)
            if mayBecomeTask { plan?.effect = .task }
        case "prompts/get":
            guard let name = params["name"]?.string else { throw .invalidParams("prompts/get without a name") }
            guard let route = surface.route(.prompts, name) else { return nil }
            plan = Plan(request, route, params, "name", of: name)
        case "resources/read", "resources/subscribe", "resources/unsubscribe":
            guard let uri = params["uri"]?.string else { throw .invalidParams("\(request.method) without a uri") }
            guard let route = surface.place(ofURI: uri) else { return nil }
            plan = Plan(request, route, params, "uri", of: uri)
            if request.method == "resources/subscribe" { plan?.effect = .subscribe(shown: uri) }
            if request.method == "resources/unsubscribe" { plan?.effect = .unsubscribe(shown: uri) }
            // The answer speaks of what was asked for, also where that is in no list.
            if route.name != uri { plan?.rewritten[route.name] = uri }
        case "completion/complete": plan = try completion(request, params, surface)
        case "tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "tasks/subscribe", "tasks/unsubscribe":
            guard let name = params["taskId"]?.string else {
                throw .invalidParams("\(request.method) without a taskId")
            }
            guard let place = task(name) else { throw .invalidParams("Task not found: \(name.prefix(256))") }
            plan = Plan(request, .init(server: place.server, name: place.id), params, "taskId", of: name)
            plan?.effect = .taskID(name)
        default:
            // What is not known here may be known to the one server that there is.
            guard surface.sources.count == 1, !request.method.hasPrefix("notifications/") else {
                throw .methodNotFound(request.method)
            }
            return Plan(server: surface.sources[0].server, method: request.method, params: request.params)
        }
        if let own = plan.flatMap({ surface.rewritten[$0.server] }) { plan?.rewritten.merge(own) { asked, _ in asked } }
        return plan
    }

    private init(server: String, method: String, params: RawJSON?) {
        self.server = server
        self.method = method
        self.params = params
    }

    private init(
        _ request: RPC.Request, _ route: Surface.Route, _ params: RawJSON, _ member: String, of shown: String
    ) {
        let own = route.name == shown ? params : params.replacing(member, with: RawJSON(.string(route.name)))
        self.init(server: route.server, method: request.method, params: own)
    }

    private static func completion(
        _ request: RPC.Request, _ params: RawJSON, _ surface: Surface
    ) throws(RPC.Error) -> Plan? {
        guard let ref = params["ref"], let type = ref["type"]?.string else {
            throw .invalidParams("completion/complete without a ref")
        }
        let (member, route): (String, Surface.Route?)
        switch type {
        case "ref/prompt":
            member = "name"
            route = ref["name"]?.string.flatMap { surface.route(.prompts, $0) }
        case "ref/resource":
            member = "uri"
            route = ref["uri"]?.string.flatMap { surface.route(.templates, $0) ?? surface.place(ofURI: $0) }
        default: throw .invalidParams("completion/complete with an unknown ref")
        }
        guard let route else { return nil }
        let own = ref[member]?.string == route.name ? ref : ref.replacing(member, with: RawJSON(.string(route.name)))
        return Plan(
            server: route.server, method: request.method,
            params: own == ref ? params : params.replacing("ref", with: own))
    }

    /// How it is said that nobody has what was asked for.
    static func unknown(_ request: RPC.Request) -> RPC.Error {
        let params = request.params ?? RawJSON([:])
        func text(_ member: String) -> String { String((params[member]?.string ?? "").prefix(512)) }
        switch request.method {
        case "tools/call": return .invalidParams("Unknown tool: \(text("name"))")
        case "prompts/get": return .invalidParams("Unknown prompt: \(text("name"))")
        case "completion/complete": return .invalidParams("Unknown prompt or resource template")
        default:
            return RPC.Error(
                code: -32002, message: "Resource not found: \(text("uri"))",
                data: RawJSON(["uri": .string(text("uri"))]))
        }
    }
}
