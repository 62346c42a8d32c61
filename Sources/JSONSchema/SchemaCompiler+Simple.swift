internal import Core

extension SchemaCompiler {
    /// A keyword without schemas in it; nil for the others.
    func simple(_ keyword: String, _ value: JSON, _ object: JSON.Object, at here: String) throws -> JSONSchema.Demand? {
        switch keyword {
        case "type": return .kinds(try Self.kinds(value, at: here))
        case "enum":
            guard let values = value.array, !values.isEmpty else { throw Self.wrong(here, "is no list of values") }
            return .oneOfValues(values)
        case "const": return .oneOfValues([value])
        case "multipleOf":
            let number = try Self.number(value, at: here)
            guard number.double > 0 else { throw Self.wrong(here, "is not positive") }
            return .multipleOf(number)
        case "minimum": return .minimum(try Self.number(value, at: here), exclusive: false)
        case "maximum": return .maximum(try Self.number(value, at: here), exclusive: false)
        case "exclusiveMinimum": return .minimum(try Self.number(value, at: here), exclusive: true)
        case "exclusiveMaximum": return .maximum(try Self.number(value, at: here), exclusive: true)
        case "minLength", "maxLength": return .length(try bound(keyword, value, at: here))
        case "minItems", "maxItems": return .count(try bound(keyword, value, at: here))
        case "minProperties", "maxProperties": return .members(try bound(keyword, value, at: here))
        case "pattern": return .pattern(try Pattern(try Self.text(value, at: here)))
        case "format":
            let name = try Self.text(value, at: here)
            guard let format = Format(rawValue: name) else {
                throw Failure(
                    .invalidArgument,
                    "the schema at \(here.prefix(200)) has the format \(JSON.quoted(String(name.prefix(60)))), "
                        + "which is not checked here",
                    advice: "Known are \(Format.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return .format(format)
        case "uniqueItems":
            guard let isUnique = value.bool else { throw Self.wrong(here, "is neither true nor false") }
            return isUnique ? .unique : .all([])
        case "required": return .required(try Self.texts(value, at: here))
        default: return nil
        }
    }

    private func bound(_ keyword: String, _ value: JSON, at here: String) throws -> ClosedRange<Int> {
        guard let number = value.int, number >= 0 else { throw Self.wrong(here, "is no whole number from 0") }
        return keyword.hasPrefix("min") ? number...Int.max : 0...number
    }

    static func range(_ object: JSON.Object, _ minimum: String, _ maximum: String, at pointer: String, least: Int)
        throws
        -> ClosedRange<Int>
    {
        func number(_ name: String) throws -> Int? {
            guard let value = object[name] else { return nil }
            guard let number = value.int, number >= 0 else {
                throw wrong("\(pointer)/\(name)", "is no whole number from 0")
            }
            return number
        }
        let low = try number(minimum) ?? least
        let high = try number(maximum) ?? Int.max
        guard low <= high else { throw wrong("\(pointer)/\(maximum)", "is less than \(minimum)") }
        return low...high
    }

    private static func kinds(_ value: JSON, at here: String) throws -> Set<JSONSchema.Kind> {
        let names = value.array ?? [value]
        let kinds = names.compactMap { $0.string.flatMap { JSONSchema.Kind(rawValue: $0) } }
        guard kinds.count == names.count, !kinds.isEmpty else {
            throw wrong(here, "is no type: \(value.text.prefix(60))")
        }
        return Set(kinds)
    }

    private static func number(_ value: JSON, at here: String) throws -> Decimal {
        guard case .number(let text) = value else { throw wrong(here, "is no number") }
        return Decimal(text)
    }

    private static func text(_ value: JSON, at here: String) throws -> String {
        guard let text = value.string else { throw wrong(here, "is no text") }
        return text
    }

    static func texts(_ value: JSON, at here: String) throws -> [String] {
        guard let list = value.array else { throw wrong(here, "is no list of names") }
        return try list.map { try text($0, at: here) }
    }
}
