internal import Core

/// Reads a schema's JSON.
struct SchemaCompiler {
    typealias Place = JSONSchema.Place

    let root: JSON
    var nodes: [JSONSchema.Node] = []
    private var places: [String: Place] = [:]

    init(root: JSON) { self.root = root }

    /// Words that say nothing about which values are right.
    private static let descriptions: Set<String> = [
        "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "example",
        "deprecated", "readOnly", "writeOnly", "discriminator",
    ]

    /// Where the subschema at a pointer is found; it may contain itself.
    mutating func place(of schema: JSON, at pointer: String) throws -> Place {
        if let known = places[pointer] { return known }
        guard nodes.count < JSONSchema.maximumNodes else {
            throw Failure(.invalidArgument, "the schema has more than \(JSONSchema.maximumNodes) parts")
        }
        let place = nodes.count
        places[pointer] = place
        nodes.append([])
        switch schema {
        case .bool(let isAnything): nodes[place] = isAnything ? [] : [.never]
        case .object(let object): nodes[place] = try demands(object, at: pointer)
        default: throw Self.wrong(pointer, "is neither an object nor a boolean")
        }
        return place
    }

    static func wrong(_ pointer: String, _ what: String) -> Failure {
        Failure(.invalidArgument, "the schema at \(pointer.prefix(200)) \(what)")
    }

    private mutating func demands(_ object: JSON.Object, at pointer: String) throws -> [JSONSchema.Demand] {
        var demands: [JSONSchema.Demand] = []
        for (keyword, value) in object.members where !Self.descriptions.contains(keyword) {
            let here = "\(pointer)/\(keyword)"
            if let demand = try simple(keyword, value, object, at: here) {
                demands.append(demand)
            } else if let demand = try nested(keyword, value, object, at: here, parent: pointer) {
                demands.append(demand)
            } else if !Self.handledElsewhere.contains(keyword) {
                throw Failure(
                    .invalidArgument,
                    "the schema at \(pointer.prefix(200)) has the keyword \(JSON.quoted(String(keyword.prefix(60)))), "
                        + "which is not checked here",
                    advice: "Leave it out; docs/api.md lists the keywords that are checked")
            }
        }
        return demands + (try properties(object, at: pointer)) + (try items(object, at: pointer))
    }

    /// Keywords that are read together with another one.
    private static let handledElsewhere: Set<String> = [
        "properties", "patternProperties", "additionalProperties", "prefixItems", "items", "then", "else",
        "minContains", "maxContains",
    ]

    private mutating func nested(
        _ keyword: String, _ value: JSON, _ object: JSON.Object, at here: String, parent: String
    ) throws -> JSONSchema.Demand? {
        switch keyword {
        case "$ref": return .reference(try reference(value, at: here))
        case "allOf": return .all(try list(value, at: here))
        case "anyOf": return .any(try list(value, at: here))
        case "oneOf": return .one(try list(value, at: here))
        case "not": return .not(try place(of: value, at: here))
        case "propertyNames": return .names(try place(of: value, at: here))
        case "if":
            let then = try object["then"].map { try place(of: $0, at: "\(parent)/then") }
            let otherwise = try object["else"].map { try place(of: $0, at: "\(parent)/else") }
            return .condition(try place(of: value, at: here), then: then, otherwise: otherwise)
        case "contains":
            let range = try Self.range(object, "minContains", "maxContains", at: parent, least: 1)
            return .contains(try place(of: value, at: here), range)
        case "dependentSchemas":
            let members = try Self.object(value, at: here).members
            return .all(
                try members.map { name, schema in
                    let place = try place(of: schema, at: "\(here)/\(Self.escape(name))")
                    nodes.append([.schemaWith(name, place)])
                    return nodes.count - 1
                })
        case "dependentRequired":
            return .all(
                try Self.object(value, at: here).members.map { name, names in
                    nodes.append([.requiredWith(name, try Self.texts(names, at: here))])
                    return nodes.count - 1
                })
        default: return nil
        }
    }

    private mutating func list(_ value: JSON, at pointer: String) throws -> [Place] {
        guard let list = value.array, !list.isEmpty else { throw Self.wrong(pointer, "is no list of schemas") }
        return try list.enumerated().map { try place(of: $1, at: "\(pointer)/\($0)") }
    }

    private mutating func properties(_ object: JSON.Object, at pointer: String) throws -> [JSONSchema.Demand] {
        let (named, patterned) = (object["properties"], object["patternProperties"])
        let rest = try object["additionalProperties"].map { try place(of: $0, at: "\(pointer)/additionalProperties") }
        if named == nil, patterned == nil, rest == nil { return [] }
        var properties: [String: Place] = [:]
        for (name, schema) in try Self.members(named, at: "\(pointer)/properties") {
            properties[name] = try place(of: schema, at: "\(pointer)/properties/\(Self.escape(name))")
        }
        var patterns: [(Pattern, Place)] = []
        let here = "\(pointer)/patternProperties"
        for (text, schema) in try Self.members(patterned, at: here) {
            patterns.append((try Pattern(text), try place(of: schema, at: "\(here)/\(Self.escape(text))")))
        }
        return [.properties(properties, patterns: patterns, rest: rest)]
    }

    private mutating func items(_ object: JSON.Object, at pointer: String) throws -> [JSONSchema.Demand] {
        let first = try object["prefixItems"].map { try list($0, at: "\(pointer)/prefixItems") } ?? []
        if object["items"]?.array != nil {
            throw Self.wrong("\(pointer)/items", "is a list, which newer schemas write as prefixItems")
        }
        let rest = try object["items"].map { try place(of: $0, at: "\(pointer)/items") }
        return first.isEmpty && rest == nil ? [] : [.items(first: first, rest: rest)]
    }

    // MARK: References

    private mutating func reference(_ value: JSON, at pointer: String) throws -> Place {
        guard let text = value.string else { throw Self.wrong(pointer, "is no text") }
        guard text == "#" || text.hasPrefix("#/") else {
            throw Self.wrong(pointer, "refers to \(JSON.quoted(String(text.prefix(60)))); only #/… is followed")
        }
        var schema = root
        for part in text.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) where text.count > 2 {
            let name = Self.unescape(part)
            let next =
                schema[name]
                ?? Int(name).flatMap { place in
                    schema.array.flatMap { $0.indices.contains(place) ? $0[place] : nil }
                }
            guard let next else { throw Self.wrong(pointer, "refers to \(text.prefix(60)), which is not there") }
            schema = next
        }
        return try place(of: schema, at: text)
    }

    private static func escape(_ name: String) -> String {
        var result = ""
        for character in name {
            switch character {
            case "~": result += "~0"
            case "/": result += "~1"
            default: result.append(character)
            }
        }
        return result
    }

    private static func unescape(_ part: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = part.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "~"), let next = rest.first, next == 48 || next == 49 {
                bytes.append(UInt8(ascii: next == 48 ? "~" : "/"))
                rest = rest.dropFirst()
            } else if byte == UInt8(ascii: "%"), let code = UInt8(String(rest.prefix(2)) ?? "", radix: 16),
                rest.count >= 2
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func members(_ value: JSON?, at pointer: String) throws -> [(name: String, value: JSON)] {
        try value.map { try object($0, at: pointer).members } ?? []
    }

    static func object(_ value: JSON, at pointer: String) throws -> JSON.Object {
        guard let object = value.object else { throw wrong(pointer, "is no object") }
        return object
    }
}
