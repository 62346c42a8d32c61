/// How a server is reached: a container that is started for it, a container that runs beside us, another machine.
package protocol Connector: Sendable {
    /// Reaches the server and keeps the connection as long as `body` runs; each time anew.
    ///
    /// - Parameter onProgress: told of what happens on the way, such as the id of a container that was started.
    /// - Throws: what `body` throws; `.unavailable` where trying again may help, any other code where it does not.
    func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R
}

/// What happens while a server is reached.
package enum ConnectionStep: Sendable {
    /// It is being served by this: a container's id, an address; with its limits in words, for a person.
    case reached(place: String, limits: String)
    /// A line that it wrote on its stderr.
    case log(String)
    /// What was made for it has been put away.
    case removed(place: String)
}
