internal import Core
internal import SystemPackage

/// The files of a model that is split: `x-00001-of-00003.gguf` and so on, side by side.
enum GGUFParts {
    private static let maximumParts = 1024

    /// All files of the model that this one begins; itself alone where its name has no such number.
    ///
    /// - Throws: `.invalidArgument` for a later part; `.notFound` naming the part that is missing.
    static func files(from first: FilePath) throws -> [FilePath] {
        guard let name = first.lastComponent?.string, let (stem, number, count) = numbers(in: name) else {
            return [first]
        }
        func file(_ number: Int) -> FilePath {
            first.removingLastComponent().appending(Self.name(stem, number, of: count))
        }
        guard number == 1 else {
            throw Failure(
                .invalidArgument, "\(first) is part \(number) of \(count) of a model",
                advice: "Give the first part, \(file(1)); the others are found beside it")
        }
        guard (1...maximumParts).contains(count) else {
            throw Failure(.invalidArgument, "\(first) claims to be one of \(count) parts")
        }
        let files = (1...count).map(file)
        if let missing = files.first(where: { !Files.exists($0) }) {
            throw Failure(
                .notFound, "\(missing) is missing, one of the \(count) parts of the model",
                advice: "Put all parts into one folder")
        }
        return files
    }

    /// - Throws: `.corrupted` when the files do not belong together, or hold no weights; `.unsupported` for a part
    ///   whose name does not tell where the others are; `.invalidArgument` for what is no model.
    static func check(_ heads: [GGUF], _ files: [FilePath]) throws {
        for (place, (head, file)) in zip(heads, files).enumerated() {
            if place == 0, head.content != .model {
                throw Failure(
                    .invalidArgument,
                    "\(file) is a \(head.content == .adapter ? "LoRA adapter" : "multimodal projector"), not a model",
                    advice: "Give it with \(head.content == .adapter ? "--lora" : "--mmproj") beside a model")
            }
            guard head.parts == files.count else {
                guard files.count > 1 else {
                    throw Failure(
                        .unsupported, "\(file) is one of \(head.parts) parts of a model, and its name has no number",
                        advice: "Parts are found by names like x-00001-of-\(five(head.parts)).gguf")
                }
                throw Failure(.corrupted, "\(file) is one of \(head.parts) parts, not of \(files.count)")
            }
            if files.count > 1, head.metadata["split.no"].flatMap({ Int($0) }) != place {
                throw Failure(
                    .corrupted, "\(file) is not part \(place + 1) of the model", advice: "Download the parts again")
            }
        }
        guard heads.contains(where: { $0.tensorCount > 0 }) else {
            throw Failure(.corrupted, "\(files[0]) holds no weights")
        }
    }

    private static func numbers(in name: String) -> (stem: String, number: Int, count: Int)? {
        let bytes = Array(name.utf8)
        // -00001-of-00003.gguf
        let tail = 20
        guard bytes.count > tail, name.lowercased().hasSuffix(".gguf") else { return nil }
        let end = bytes.suffix(tail)
        func part(_ from: Int, _ to: Int) -> String {
            String(decoding: end.dropFirst(from).prefix(to - from), as: UTF8.self)
        }
        func digits(_ text: String) -> Int? { text.utf8.allSatisfy { (48...57).contains($0) } ? Int(text) : nil }
        guard part(0, 1) == "-", part(6, 10) == "-of-", let number = digits(part(1, 6)),
            let count = digits(part(10, 15)), number >= 1, count >= 1, number <= count
        else { return nil }
        return (String(decoding: bytes.dropLast(tail), as: UTF8.self), number, count)
    }

    /// `x-00001-of-00003.gguf`
    static func name(_ stem: String, _ number: Int, of count: Int) -> String {
        "\(stem)-\(five(number))-of-\(five(count)).gguf"
    }

    static func five(_ number: Int) -> String {
        String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number)
    }
}
