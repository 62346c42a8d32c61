internal import Core
package import NIOCore
package import SystemPackage

/// Secrets kept in a file, `NAME=VALUE` a line: names are the secrets' own, not those of variables.
///
/// No quotes, no escapes; `#` begins a comment at the start of a line only. Values never go into an error's text.
package struct SecretsFile: Sendable {
    package let values: [String: String]

    package init(parsing bytes: ByteBuffer, source: String) throws {
        var values: [String: String] = [:]
        // By any newline: to Swift, a carriage return and a line feed are one character.
        let lines = String(buffer: bytes).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "="), equals > line.startIndex else {
                throw Failure(
                    .invalidArgument, "invalid line in secrets file: \(source), line \(index + 1)",
                    advice: "Write NAME=VALUE.")
            }
            let value = line[line.index(after: equals)...]
            guard !value.unicodeScalars.contains("\0") else {
                throw Failure(.invalidArgument, "invalid line in secrets file: \(source), line \(index + 1)")
            }
            values[String(line[..<equals])] = String(value)
        }
        self.values = values
    }

    /// Reads the files of a colon-separated list; an earlier one counts more. `docker-desktop` names a store that is
    /// not there without Docker Desktop, and is passed over.
    package static func load(searchList: String) throws -> [String: String] {
        try files(searchList: searchList).reduce(into: [:]) { all, path in
            let bytes = try Files.read(path, limit: 4 << 20)
            all.merge(try SecretsFile(parsing: bytes, source: path.string).values) { first, _ in first }
        }
    }

    /// The files of such a list.
    package static func files(searchList: String) -> [FilePath] {
        searchList.split(separator: ":").filter { $0 != "docker-desktop" }.map { FilePath(String($0)) }
    }
}
