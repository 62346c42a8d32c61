internal import Core
internal import NIOCore

/// A metric with all its samples, as Prometheus' text format groups them.
struct MetricFamily: Sendable {
    struct Sample: Sendable {
        /// Where it differs from the family's, as in `_bucket`.
        var name: String?
        var labels: [(String, String)]
        /// The number as it was written.
        var value: String
    }

    var name: String
    var help: String
    /// `counter`, `gauge`, `histogram`, `summary` or `untyped`.
    var type: String
    var samples: [Sample]

    static func gauge(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
        MetricFamily(name: name, help: help, type: "gauge", samples: [Sample(labels: [], value: String(value))])
    }

    static func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricFamily {
        MetricFamily(name: name, help: help, type: "counter", samples: [Sample(labels: [], value: String(value))])
    }

    static func histogram(
        _ name: String, _ help: String, _ series: [([(String, String)], Metrics.Histogram)]
    ) -> MetricFamily {
        var samples: [Sample] = []
        for (labels, histogram) in series {
            var total: UInt64 = 0
            for (place, count) in histogram.counts.enumerated() {
                total += count
                let bound = place < histogram.bounds.count ? "\(histogram.bounds[place])" : "+Inf"
                samples.append(Sample(name: name + "_bucket", labels: labels + [("le", bound)], value: String(total)))
            }
            samples.append(Sample(name: name + "_sum", labels: labels, value: "\(histogram.sum)"))
            samples.append(Sample(name: name + "_count", labels: labels, value: String(total)))
        }
        return MetricFamily(name: name, help: help, type: "histogram", samples: samples)
    }

    // MARK: Text

    /// One text of several families; those of the same name become one.
    static func text(_ families: [MetricFamily]) -> String {
        var order: [String] = []
        var merged: [String: MetricFamily] = [:]
        for family in families where !family.samples.isEmpty {
            if merged[family.name] == nil { order.append(family.name) }
            merged[family.name, default: MetricFamily(name: family.name, help: family.help, type: family.type, samples: [])]
                .samples += family.samples
        }
        var text = ""
        for family in order.compactMap({ merged[$0] }) {
            if !family.help.isEmpty { text += "# HELP \(family.name) \(family.help)\n" }
            text += "# TYPE \(family.name) \(family.type)\n"
            for sample in family.samples {
                text += sample.name ?? family.name
                if !sample.labels.isEmpty {
                    text += "{" + sample.labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",") + "}"
                }
                text += " \(sample.value)\n"
            }
        }
        return text
    }

    private static func escaped(_ value: String) -> String {
        guard value.contains(where: { $0 == "\\" || $0 == "\"" || $0.isNewline }) else { return value }
        return value.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case _ where character.isNewline: result += "\\n"
            default: result.append(character)
            }
        }
    }

    // MARK: Reading

    /// What an engine's `/metrics` says, with labels added. Lines that are no metrics are passed over.
    static func parse(_ text: String, adding labels: [(String, String)]) -> [MetricFamily] {
        var families: [String: MetricFamily] = [:]
        var order: [String] = []
        var current = ""
        for line in text.split(whereSeparator: \.isNewline).prefix(maximumLines) {
            if line.hasPrefix("#") {
                let words = line.split(separator: " ", maxSplits: 3)
                guard words.count >= 3, words[1] == "HELP" || words[1] == "TYPE", isName(words[2]) else { continue }
                current = String(words[2])
                if families[current] == nil { order.append(current) }
                let value = words.count > 3 ? String(words[3]) : ""
                var family = families[current] ?? MetricFamily(name: current, help: "", type: "untyped", samples: [])
                if words[1] == "HELP" { family.help = value } else { family.type = value }
                families[current] = family
            } else if let sample = sample(line, adding: labels) {
                let name = sample.name ?? ""
                let family = !current.isEmpty && name.hasPrefix(current) ? current : name
                if families[family] == nil {
                    order.append(family)
                    families[family] = MetricFamily(name: family, help: "", type: "untyped", samples: [])
                }
                families[family]?.samples.append(sample)
            }
        }
        return order.compactMap { families[$0] }
    }

    private static let maximumLines = 20_000

    /// `name{label="value"} number [time]`; the time is left out, being the engine's.
    private static func sample(_ line: Substring, adding labels: [(String, String)]) -> Sample? {
        let name = line.prefix { $0 != "{" && $0 != " " }
        var rest = line.dropFirst(name.count)
        var own = ""
        if rest.first == "{" {
            guard let end = rest.lastIndex(of: "}") else { return nil }
            own = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
        }
        guard isName(name), let value = rest.split(separator: " ").first, Double(value) != nil,
            let pairs = pairs(in: own)
        else { return nil }
        let added = Set(labels.map(\.0))
        return Sample(
            name: String(name), labels: pairs.filter { !added.contains($0.0) } + labels, value: String(value))
    }

    private static func pairs(in text: String) -> [(String, String)]? {
        var result: [(String, String)] = []
        var rest = text[...]
        while !rest.isEmpty {
            guard let equal = rest.firstIndex(of: "="), rest[rest.index(after: equal)...].first == "\"" else { return nil }
            let name = rest[..<equal].filter { !$0.isWhitespace }
            var value = ""
            var place = rest.index(equal, offsetBy: 2)
            while place < rest.endIndex, rest[place] != "\"" {
                if rest[place] == "\\" {
                    place = rest.index(after: place)
                    guard place < rest.endIndex else { return nil }
                    value.append(rest[place] == "n" ? "\n" : rest[place])
                } else {
                    value.append(rest[place])
                }
                place = rest.index(after: place)
            }
            guard place < rest.endIndex, isName(name[...]) else { return nil }
            result.append((name, value))
            rest = rest[rest.index(after: place)...].drop { $0 == "," || $0.isWhitespace }
        }
        return result
    }

    private static func isName(_ text: Substring) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
    }
}
