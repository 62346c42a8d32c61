/// The tasks (2025-11-25) of one client: at which server each is. A task is only found by who has begun it.
struct TaskTable: Sendable {
    static let maximum = 4096

    struct Place: Sendable, Hashable {
        let server: String
        /// The task's id at its server.
        let id: String
    }

    private var places: [String: Place] = [:]
    private var names: [Place: String] = [:]
    private var order: [String] = []

    /// Notes a task.
    ///
    /// - Returns: its id for the client: the server's own, unless another server's task has that.
    mutating func add(_ place: Place) -> String {
        if let known = names[place] { return known }
        var name = place.id
        if places[name] != nil { name = "\(place.server).\(place.id)" }
        while places[name] != nil { name += "_" }
        places[name] = place
        names[place] = name
        order.append(name)
        if order.count > Self.maximum {
            let oldest = order.removeFirst()
            places.removeValue(forKey: oldest).map { names[$0] = nil }
        }
        return name
    }

    func place(_ name: String) -> Place? { places[name] }

    func name(_ place: Place) -> String? { names[place] }
}
