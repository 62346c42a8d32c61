internal import Core

/// Which of a repository's files make up the model that is asked for: decided from the listing alone.
package struct HubSelection: Hashable, Sendable {
    package enum Format: Sendable { case gguf, safetensors }

    package let format: Format
    /// Whole, or all its parts in order.
    package let weights: [HubFile]
    package let projector: HubFile?
    package let chatTemplate: HubFile?
    package let licences: [HubFile]
    /// Configuration and vocabulary that belong to safetensors files.
    package let others: [HubFile]

    package var files: [HubFile] {
        weights + [projector, chatTemplate].compactMap(\.self) + licences + others
    }

    /// GGUF files come first, for those are what llama.cpp runs; where there are none, the safetensors files.
    ///
    /// - Parameter wanted: a quantisation or a part of a file's name, capitals ignored; nil takes `Q4_K_M`, else the
    ///   first of `Quantization.preference` that there is, else the first file.
    /// - Throws: `.notFound` where nothing is called as wanted; `.unsupported` where no file is a model;
    ///   `.corrupted` where a part is missing.
    package init(of files: [HubFile], wanted: String?, in repository: String) throws {
        let files = files.sorted { $0.path < $1.path }
        let gguf = files.filter {
            $0.hasSuffix(".gguf") && !$0.isProjector && !$0.path.lowercased().contains("imatrix")
        }
        let groups = Dictionary(grouping: gguf) { ShardName($0.path)?.stem ?? String($0.path.dropLast(5)) }
        guard groups.isEmpty else {
            guard let stem = Self.choose(groups.keys.sorted(), wanted), let parts = groups[stem] else {
                throw Self.nothingCalled(
                    wanted ?? "", repository, groups.keys.compactMap { Quantization.named(in: $0) })
            }
            format = .gguf
            weights = try Self.complete(parts, repository)
            projector = Self.projector(files)
            let templates = files.filter { $0.hasSuffix(".jinja") }
            chatTemplate = templates.first { $0.name.lowercased() == "chat_template.jinja" } ?? templates.first
            licences = []
            others = []
            return
        }
        let tensors = files.filter { $0.hasSuffix(".safetensors") && !$0.path.contains("/") }
        guard !tensors.isEmpty else {
            throw Failure(.unsupported, "\(repository) holds neither GGUF nor safetensors files")
        }
        if let wanted { throw Self.nothingCalled(wanted, repository, []) }
        // The same weights once more, in their maker's own layout.
        let usual = tensors.filter { !$0.name.lowercased().hasPrefix("consolidated") }
        format = .safetensors
        weights = usual.isEmpty ? tensors : usual
        projector = nil
        let rest = files.filter { !$0.path.contains("/") && !$0.path.hasPrefix(".") && $0.size <= HubFile.maximumSmall }
        chatTemplate = rest.first { $0.name.lowercased() == "chat_template.jinja" }
        licences = rest.filter(\.isLicence)
        others = rest.filter { file in
            !file.isLicence && file.name.lowercased() != "chat_template.jinja"
                && [".json", ".txt", ".jinja", ".model", ".tiktoken", ".vocab"].contains { file.hasSuffix($0) }
        }
    }

    private static func choose(_ stems: [String], _ wanted: String?) -> String? {
        func best(_ word: String) -> String? {
            stems.compactMap { stem in Quantization.fit(word, in: stem).map { (fit: $0, stem: stem) } }
                .min { ($0.fit.rawValue, $0.stem.count, $0.stem) < ($1.fit.rawValue, $1.stem.count, $1.stem) }?.stem
        }
        if let wanted {
            let isFile = wanted.lowercased().hasSuffix(".gguf")
            return best(isFile ? String(wanted.dropLast(5)) : wanted)
        }
        let whole = Quantization.preference.lazy.compactMap { word in
            stems.filter { Quantization.fit(word, in: $0) == .whole }.min { ($0.count, $0) < ($1.count, $1) }
        }
        return whole.first ?? stems.first
    }

    /// All parts in order, or the one file.
    private static func complete(_ files: [HubFile], _ repository: String) throws -> [HubFile] {
        let parts = files.compactMap { file in ShardName(file.path).map { (name: $0, file: file) } }
        guard let count = parts.first?.name.count, parts.count == files.count else { return Array(files.prefix(1)) }
        let sorted = parts.sorted { $0.name.number < $1.name.number }
        guard sorted.map(\.name.number) == Array(1...max(count, 1)), sorted.allSatisfy({ $0.name.count == count })
        else {
            throw Failure(.corrupted, "\(repository) has only \(files.count) of the \(count) parts of \(files[0].path)")
        }
        return sorted.map(\.file)
    }

    /// Half precision where there is one: projectors are small, and quantising them hurts.
    private static func projector(_ files: [HubFile]) -> HubFile? {
        let all = files.filter { $0.hasSuffix(".gguf") && $0.isProjector }
        for word in ["F16", "FP16", "BF16", "F32"] {
            if let file = all.first(where: { Quantization.fit(word, in: $0.path) == .whole }) { return file }
        }
        return all.first
    }

    private static func nothingCalled(_ wanted: String, _ repository: String, _ there: [String]) -> Failure {
        let names = Set(there).sorted().prefix(30).joined(separator: ", ")
        return Failure(
            .notFound, "\(repository) has nothing called \"\(wanted.prefix(80))\"",
            advice: names.isEmpty ? "Leave it out" : "It has \(names)")
    }
}

extension HubFile {
    fileprivate func hasSuffix(_ ending: String) -> Bool { path.lowercased().hasSuffix(ending) }

    fileprivate var isProjector: Bool { name.lowercased().contains("mmproj") }

    fileprivate var isLicence: Bool {
        let name = name.lowercased()
        return ["license", "licence", "notice"].contains { name == $0 || name.hasPrefix("\($0).") }
    }
}

/// `name-00001-of-00003.gguf`, taken apart.
package struct ShardName: Hashable, Sendable {
    /// The path before the numbers.
    package let stem: String
    package let number: Int
    package let count: Int

    /// nil for a name without numbers, and for impossible ones.
    package init?(_ path: String) {
        let bytes = Array(path.utf8)
        let tail = Array(bytes.suffix(20))
        guard bytes.count > 20, String(decoding: tail.suffix(5), as: UTF8.self).lowercased() == ".gguf",
            tail[0] == UInt8(ascii: "-"), String(decoding: tail[6..<10], as: UTF8.self).lowercased() == "-of-",
            let number = Int(String(decoding: tail[1..<6], as: UTF8.self)),
            let count = Int(String(decoding: tail[10..<15], as: UTF8.self)), number >= 1, number <= count
        else { return nil }
        stem = String(decoding: bytes.dropLast(20), as: UTF8.self)
        self.number = number
        self.count = count
    }
}
