internal import Core

/// Compares a value with a schema, bounded in depth and work.
struct SchemaChecker {
    typealias Place = JSONSchema.Place

    let nodes: [JSONSchema.Node]
    private var work = 0
    private var depth = 0

    init(nodes: [JSONSchema.Node]) { self.nodes = nodes }

    private static let maximumWork = 2_000_000
    /// A schema may refer to itself without going further into the value.
    private static let maximumDepth = 512

    mutating func spend(_ amount: Int = 1) throws {
        work += amount
        guard work <= Self.maximumWork else {
            throw Failure(.resourceExhausted, "checking the answer against its schema takes too long")
        }
    }

    mutating func mismatch(_ value: JSON, _ place: Place, at path: String) throws -> String? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw Failure(.resourceExhausted, "the schema refers to itself without end")
        }
        for demand in nodes[place] {
            try spend()
            if let mismatch = try mismatch(value, demand, at: path) { return mismatch }
        }
        return nil
    }

    private mutating func mismatch(_ value: JSON, _ demand: JSONSchema.Demand, at path: String) throws -> String? {
        switch demand {
        case .never: return "\(path) is not allowed"
        case .kinds(let kinds):
            return Self.has(value, kinds)
                ? nil : "\(path) is no \(kinds.map(\.rawValue).sorted().joined(separator: " or "))"
        case .oneOfValues(let values):
            for candidate in values where try same(candidate, value) { return nil }
            return values.count == 1
                ? "\(path) is not \(values[0].text.prefix(80))"
                : "\(path) is none of the \(values.count) values allowed"
        case .reference(let place): return try mismatch(value, place, at: path)
        case .all(let places):
            for place in places { if let mismatch = try mismatch(value, place, at: path) { return mismatch } }
            return nil
        case .any(let places):
            var first: String?
            for place in places {
                guard let mismatch = try mismatch(value, place, at: path) else { return nil }
                first = first ?? mismatch
            }
            return places.count == 1 ? first : "\(path) matches none of the \(places.count) forms allowed"
        case .one(let places):
            var matches = 0
            for place in places where try mismatch(value, place, at: path) == nil { matches += 1 }
            return matches == 1 ? nil : "\(path) matches \(matches) of \(places.count) forms instead of one"
        case .not(let place):
            return try mismatch(value, place, at: path) == nil ? "\(path) has a form that is not allowed" : nil
        case .condition(let place, let then, let otherwise):
            let next = try mismatch(value, place, at: path) == nil ? then : otherwise
            return try next.flatMap { try mismatch(value, $0, at: path) }
        default: break
        }
        switch value {
        case .number(let text): return Self.mismatch(Decimal(text), demand, at: path)
        case .string(let text): return try mismatch(text, demand, at: path)
        case .array(let list): return try mismatch(list, demand, at: path)
        case .object(let object): return try mismatch(object, demand, at: path)
        case .null, .bool: return nil
        }
    }

    private static func has(_ value: JSON, _ kinds: Set<JSONSchema.Kind>) -> Bool {
        switch value {
        case .null: kinds.contains(.null)
        case .bool: kinds.contains(.boolean)
        case .number(let text): kinds.contains(.number) || kinds.contains(.integer) && Decimal(text).isInteger
        case .string: kinds.contains(.string)
        case .array: kinds.contains(.array)
        case .object: kinds.contains(.object)
        }
    }

    /// Equality as JSON has it: numbers by their value, objects in any order.
    mutating func same(_ a: JSON, _ b: JSON) throws -> Bool {
        try spend()
        switch (a, b) {
        case (.number(let a), .number(let b)): return Decimal(a) == Decimal(b)
        case (.array(let a), .array(let b)):
            guard a.count == b.count else { return false }
            for (first, second) in zip(a, b) where try !same(first, second) { return false }
            return true
        case (.object(let a), .object(let b)):
            guard a.members.count == b.members.count else { return false }
            let others = Dictionary(b.members.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
            for (name, value) in a.members {
                guard let other = others[name], try same(value, other) else { return false }
            }
            return true
        default: return a == b
        }
    }
}
