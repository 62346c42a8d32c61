package import Core

/// A JSON Schema (2020-12) made ready for checking values against it.
///
/// It checks or refuses: a keyword that is not carried out makes the schema invalid instead of being passed over, so
/// that what has been checked is what was asked for. Words that only describe, such as `title`, are taken.
package struct JSONSchema: Sendable {
    /// Subschemas by number; the first is the whole.
    let nodes: [Node]

    /// What one subschema demands: all of it.
    typealias Node = [Demand]
    typealias Place = Int

    enum Demand: Sendable {
        case never
        case kinds(Set<Kind>)
        case oneOfValues([JSON])
        case reference(Place)
        // Numbers
        case multipleOf(Decimal)
        case minimum(Decimal, exclusive: Bool)
        case maximum(Decimal, exclusive: Bool)
        // Texts
        case length(ClosedRange<Int>)
        case pattern(Pattern)
        case format(Format)
        // Lists
        case count(ClosedRange<Int>)
        case unique
        case items(first: [Place], rest: Place?)
        case contains(Place, ClosedRange<Int>)
        // Objects
        case members(ClosedRange<Int>)
        case required([String])
        case requiredWith(String, [String])
        case schemaWith(String, Place)
        case names(Place)
        case properties([String: Place], patterns: [(Pattern, Place)], rest: Place?)
        // Combinations
        case all([Place])
        case any([Place])
        case one([Place])
        case not(Place)
        case condition(Place, then: Place?, otherwise: Place?)
    }

    enum Kind: String, Sendable {
        case null, boolean, integer, number, string, array, object
    }

    /// Subschemas that a schema may have.
    static let maximumNodes = 10_000

    /// - Throws: `.invalidArgument` for what is no schema, and for keywords that are not carried out, by name.
    package init(_ json: JSON) throws {
        var compiler = SchemaCompiler(root: json)
        _ = try compiler.place(of: json, at: "#")
        nodes = compiler.nodes
    }

    /// What is wrong with a value, where something is: the place as a path, and what was expected there.
    ///
    /// - Throws: `.resourceExhausted` when finding out would take too long.
    package func mismatch(_ value: JSON) throws -> String? {
        var checker = SchemaChecker(nodes: nodes)
        return try checker.mismatch(value, 0, at: "$")
    }
}
