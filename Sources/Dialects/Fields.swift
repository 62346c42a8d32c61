internal import Core

/// A request's members, read with their names in the refusals. `null` is as good as nothing.
struct Fields {
    let object: JSON.Object
    private let prefix: String

    init(_ json: JSON, at path: String = "") throws {
        guard let object = json.object else {
            throw Self.wrong(path.isEmpty ? "the request" : path, "must be an object")
        }
        self.object = object
        prefix = path.isEmpty ? "" : path + "."
    }

    static func wrong(_ name: String, _ what: String) -> Failure { Failure(.invalidArgument, "\(name) \(what)") }

    subscript(name: String) -> JSON? { object[name].flatMap { $0.isNull ? nil : $0 } }

    func path(_ name: String) -> String { prefix + name }

    private func read<Value>(_ name: String, _ what: String, _ convert: (JSON) -> Value?) throws -> Value? {
        guard let json = self[name] else { return nil }
        guard let value = convert(json) else { throw Self.wrong(path(name), "must be \(what)") }
        return value
    }

    func text(_ name: String) throws -> String? { try read(name, "a string", \.string) }
    func flag(_ name: String) throws -> Bool? { try read(name, "true or false", \.bool) }
    func list(_ name: String) throws -> [JSON]? { try read(name, "a list", \.array) }
    func fields(_ name: String) throws -> Fields? { try self[name].map { try Fields($0, at: path(name)) } }

    func count(_ name: String, atLeast least: Int = 0) throws -> Int? {
        try read(name, "a whole number from \(least)") { json in json.int.flatMap { $0 >= least ? $0 : nil } }
    }

    func texts(_ name: String) throws -> [String]? {
        try read(name, "a list of strings") { json in
            json.array.flatMap { list in
                let texts = list.compactMap(\.string)
                return texts.count == list.count ? texts : nil
            }
        }
    }

    func required<Value>(_ name: String, _ value: Value?) throws -> Value {
        guard let value else { throw Self.wrong(path(name), "is required") }
        return value
    }

    /// The model asked for; the routes say the same where they look for it themselves.
    func model() throws -> String {
        guard let name = try text("model"), !name.isEmpty else {
            throw Failure(.invalidArgument, "model is required")
        }
        return name
    }
}
