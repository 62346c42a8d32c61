/// A JSON value that keeps what a round trip must not lose: member order and the text of numbers.
package enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The number as it was written, for example `1.0` or `1e3`.
    case number(String)
    case string(String)
    case array([JSON])
    case object(Object)

    /// Members in the order they came. A repeated name keeps its last value, at the first place.
    package struct Object: Sendable, Hashable {
        package private(set) var members: [(name: String, value: JSON)] = []

        package init() {}

        package init(_ members: [(String, JSON)]) {
            // Metadata of strangers can have very many of them.
            var places: [String: Int] = [:]
            for (name, value) in members {
                if let place = places.updateValue(self.members.count, forKey: name) {
                    places[name] = place
                    replace(at: place, with: value)
                } else {
                    append(name, value)
                }
            }
        }

        package var isEmpty: Bool { members.isEmpty }

        package subscript(name: String) -> JSON? {
            get { members.last { $0.name == name }?.value }
            set {
                let place = members.firstIndex { $0.name == name }
                switch (place, newValue) {
                case (let place?, let value?): members[place].value = value
                case (let place?, nil): members.remove(at: place)
                case (nil, let value?): members.append((name, value))
                case (nil, nil): break
                }
            }
        }

        /// For the parser, which has already looked for repeats.
        mutating func append(_ name: String, _ value: JSON) { members.append((name, value)) }
        mutating func replace(at place: Int, with value: JSON) { members[place].value = value }

        package static func == (a: Object, b: Object) -> Bool {
            a.members.count == b.members.count
                && zip(a.members, b.members).allSatisfy { $0.name == $1.name && $0.value == $1.value }
        }

        package func hash(into hasher: inout Hasher) {
            for member in members {
                hasher.combine(member.name)
                hasher.combine(member.value)
            }
        }
    }
}

extension JSON {
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    package var object: Object? { if case .object(let value) = self { value } else { nil } }
    package var int: Int? {
        guard case .number(let text) = self else { return nil }
        if let exact = Int(text) { return exact }
        return Double(text).flatMap { Int(exactly: $0) }
    }
    package var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }
    package var isNull: Bool { self == .null }

    /// The member of an object; nil for anything else.
    package subscript(name: String) -> JSON? { object?[name] }

    package static func int(_ value: some BinaryInteger) -> JSON { .number(String(value)) }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(Object(elements)) }
    package init(nilLiteral: ()) { self = .null }
}
