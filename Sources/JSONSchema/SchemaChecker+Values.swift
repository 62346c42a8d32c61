internal import Core

extension SchemaChecker {
    static func mismatch(_ number: Decimal, _ demand: JSONSchema.Demand, at path: String) -> String? {
        switch demand {
        case .multipleOf(let divisor):
            number.isMultiple(of: divisor) ? nil : "\(path) is no multiple of \(divisor.text.prefix(40))"
        case .minimum(let bound, let exclusive):
            bound < number || !exclusive && bound == number
                ? nil : "\(path) is too small: the limit is \(bound.text.prefix(40))"
        case .maximum(let bound, let exclusive):
            number < bound || !exclusive && bound == number
                ? nil : "\(path) is too large: the limit is \(bound.text.prefix(40))"
        default: nil
        }
    }

    mutating func mismatch(_ text: String, _ demand: JSONSchema.Demand, at path: String) throws -> String? {
        switch demand {
        case .length(let range):
            let length = text.unicodeScalars.count
            return range.contains(length) ? nil : "\(path) has \(length) characters"
        case .pattern(let pattern):
            try spend(pattern.cost(text))
            return pattern.matches(text) ? nil : "\(path) does not match the pattern \(pattern.source.prefix(80))"
        case .format(let format):
            return format.accepts(text) ? nil : "\(path) is no \(format.rawValue)"
        default: return nil
        }
    }

    mutating func mismatch(_ list: [JSON], _ demand: JSONSchema.Demand, at path: String) throws -> String? {
        switch demand {
        case .count(let range): return range.contains(list.count) ? nil : "\(path) has \(list.count) elements"
        case .unique:
            for (index, element) in list.enumerated() {
                for other in list[..<index] where try same(element, other) {
                    return "\(path)[\(index)] repeats an earlier element"
                }
            }
            return nil
        case .items(let first, let rest):
            for (index, element) in list.enumerated() {
                guard let place = index < first.count ? first[index] : rest else { return nil }
                if let mismatch = try mismatch(element, place, at: "\(path)[\(index)]") { return mismatch }
            }
            return nil
        case .contains(let place, let range):
            var count = 0
            for element in list where try mismatch(element, place, at: path) == nil { count += 1 }
            return range.contains(count) ? nil : "\(path) contains \(count) elements of the form asked for"
        default: return nil
        }
    }

    mutating func mismatch(_ object: JSON.Object, _ demand: JSONSchema.Demand, at path: String) throws -> String? {
        func missing(_ names: [String]) -> String? {
            let present = Set(object.members.map(\.name))
            return names.first { !present.contains($0) }.map { "\(path).\($0.prefix(80)) is missing" }
        }
        switch demand {
        case .members(let range):
            return range.contains(object.members.count) ? nil : "\(path) has \(object.members.count) members"
        case .required(let names):
            try spend(names.count + object.members.count)
            return missing(names)
        case .requiredWith(let name, let names): return object[name] == nil ? nil : missing(names)
        case .schemaWith(let name, let place):
            return object[name] == nil ? nil : try mismatch(.object(object), place, at: path)
        case .names(let place):
            for member in object.members {
                if try mismatch(.string(member.name), place, at: path) != nil {
                    return "\(path) has a member that may not be called \(JSON.quoted(String(member.name.prefix(80))))"
                }
            }
            return nil
        case .properties(let named, let patterns, let rest):
            for (name, value) in object.members {
                let here = "\(path).\(name.prefix(80))"
                var isKnown = false
                if let place = named[name] {
                    isKnown = true
                    if let mismatch = try mismatch(value, place, at: here) { return mismatch }
                }
                for (pattern, place) in patterns {
                    try spend(pattern.cost(name))
                    guard pattern.matches(name) else { continue }
                    isKnown = true
                    if let mismatch = try mismatch(value, place, at: here) { return mismatch }
                }
                if !isKnown, let rest, let mismatch = try mismatch(value, rest, at: here) { return mismatch }
            }
            return nil
        default: return nil
        }
    }
}
