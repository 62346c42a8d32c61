/// Columns as docker prints them: upper-case header, left aligned, two spaces behind each cell, no lines.
package struct Table: Sendable {
    private let header: [String]
    private var rows: [[String]] = []

    package init(_ header: [String]) { self.header = header }

    package mutating func append(_ row: [String]) {
        rows.append(row.map { $0.printable.replacing("\n", with: " ") })
    }

    package var text: String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return all.map { row in
            zip(row, widths).map { $0.padded(to: $1 + 2) }.joined()
        }.joined(separator: "\n")
    }
}
