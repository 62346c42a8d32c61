/// What happens in a gateway, for whoever shows it to a person.
package enum GatewayEvent: Sendable {
    /// The container runs: its id, what it may use, and how long making and starting it took.
    case started(server: String, container: String, limits: String, took: Duration)
    case ready(server: String, tools: Int, took: Duration)
    /// Its lists are known from an earlier run; it is started when it is used.
    case known(server: String, tools: Int)
    case failed(server: String, reason: String)
    /// It died and is started again after a pause.
    case restarting(server: String, after: Duration)
    /// It was stopped because nobody used it; the next call starts it again.
    case idle(server: String)
    case warning(String)
    /// Containers that killed gateways had left were removed.
    case sweptUp(containers: Int)
    /// A line the server wrote on its stderr.
    case log(server: String, line: String)
    case called(server: String, tool: String, took: Duration, isError: Bool)
    case removed(server: String, container: String)
    /// The configuration has changed: servers that are new, that will be started anew, and that are gone.
    case reloaded(added: [String], changed: [String], removed: [String])
}
