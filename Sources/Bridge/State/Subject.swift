internal import Core
internal import MCP

/// What one can have oneself told of, by name; to the gateway each is a request of its own, to modern peers all of them
/// stand in one `subscriptions/listen`.
enum Subject: Hashable, Sendable, Comparable {
    case resource(String)
    /// A task of 2026-07-28.
    case task(String)

    static let tasks = "io.modelcontextprotocol/tasks"

    /// - Parameter verb: `subscribe` or `unsubscribe`.
    func request(_ verb: String, _ id: RPC.ID) -> RPC.Request {
        switch self {
        case .resource(let uri):
            RPC.Request(id: id, method: "resources/\(verb)", params: RawJSON(["uri": .string(uri)]))
        case .task(let task): RPC.Request(id: id, method: "tasks/\(verb)", params: RawJSON(["taskId": .string(task)]))
        }
    }

    /// What a request of that kind is about.
    init?(of request: RPC.Request) {
        let isTask = request.method.hasPrefix("tasks/")
        guard let name = request.params?[isTask ? "taskId" : "uri"]?.string else { return nil }
        self = isTask ? .task(name) : .resource(name)
    }

    /// What a notification tells of; nil where it is of another kind.
    init?(of notification: RPC.Notification) {
        switch notification.method {
        case "notifications/resources/updated":
            guard let uri = notification.params?["uri"]?.string else { return nil }
            self = .resource(uri)
        case "notifications/tasks":
            guard let task = notification.params?["taskId"]?.string else { return nil }
            self = .task(task)
        default: return nil
        }
    }

    /// Members of the filter of `subscriptions/listen`, in order.
    static func filter(_ subjects: some Sequence<Subject>) -> [(name: String, value: JSON)] {
        var (uris, tasks): ([JSON], [JSON]) = ([], [])
        for subject in subjects {
            switch subject {
            case .resource(let uri): uris.append(.string(uri))
            case .task(let task): tasks.append(.string(task))
            }
        }
        return [("resourceSubscriptions", .array(uris)), ("taskIds", .array(tasks))].filter { $0.1 != .array([]) }
    }
}
