package import Core
internal import NIOCore
package import SystemPackage

/// A server that is known from a description only.
package struct DescribedBackend: Backend {
    package let description: BackendDescription
    private let paths: Paths

    package init(_ description: BackendDescription, paths: Paths) {
        self.description = description
        self.paths = paths
    }

    package var name: String { description.name }
    package var listening: BackendListening { description.listening }
    package var formats: Set<String> { description.formats }
    package var modes: Set<Load.Mode> { description.modes }
    package var runtimeFlags: RuntimeFlags { RuntimeFlags(description.flags) }

    package func servedName(_ load: Load) -> String? {
        description.servedName?.fill { Values(load, address: nil)[$0] }
    }

    package func memory(weights: Int64, placement: MemoryEstimate.Placement) -> MemoryEstimate? {
        let bytes = Double(max(0, weights)) * description.memoryFactor + Double(description.memoryBase)
        return MemoryEstimate(fixed: Int64(min(bytes, 1e17)), placement: placement)
    }

    package func executable() throws -> FilePath {
        if let program = locate() { return program }
        let variable = description.variable.map { ", or name it with \($0)" } ?? ""
        throw Failure(
            .failedPrecondition, "backend \"\(name)\" is not installed: there is no \(description.program)",
            advice: "Install it so that it is in PATH\(variable).")
    }

    private func locate() -> FilePath? {
        var candidates: [FilePath] = []
        let file = FilePath(description.program)
        if let setting = description.variable.flatMap(paths.setting) {
            let path = FilePath(setting)
            candidates = [path] + (file.lastComponent.map { [path.appending($0)] } ?? [])
        } else if file.isAbsolute {
            candidates = [file]
        } else {
            let folders = (paths.environment["PATH"] ?? "").split(separator: ":").filter { $0.hasPrefix("/") }
            candidates = folders.map { FilePath(String($0)).appending(description.program) }
        }
        return candidates.first { path in
            guard let status = try? POSIX.status(path) else { return false }
            return status.isRegular && status.mode & 0o111 != 0
        }
    }

    package func status() async -> BackendStatus {
        locate().map { .running("\(name) (\($0))") } ?? .notInstalled("there is no \(description.program)")
    }

    package func command(for load: Load, context: Int?, at address: EngineAddress) throws -> ChildProcess.Spec {
        guard description.modes.contains(load.mode) else {
            throw Failure(.unsupported, "\(name) does no \(load.mode.rawValue)")
        }
        let values = Values(load, address: address)
        var words: [String] = []
        for argument in description.arguments {
            switch argument {
            case .word(let template): words += try [Self.filled(template, values)]
            case .group(let condition, let templates):
                if values.holds(condition) { words += try templates.map { try Self.filled($0, values) } }
            }
        }
        var environment = LlamaServer.environment(from: paths.environment)
        environment.merge(description.environment) { $1 }
        return ChildProcess.Spec(
            name: name, program: try executable(), arguments: words + load.configuration.runtimeFlags,
            environment: environment, address: address, readiness: description.readiness)
    }

    private static func filled(_ template: BackendDescription.Template, _ values: Values) throws -> String {
        guard let word = template.fill({ values[$0] }) else {
            throw Failure(
                .failedPrecondition, "the argument \(template.text) stands for nothing here",
                advice: "In the backend's description, put it under a condition, or see what it listens on.")
        }
        return word
    }

    /// What can be put into templates.
    private struct Values {
        private let texts: [String: String]
        private let mode: Load.Mode

        init(_ load: Load, address: EngineAddress?) {
            let configuration = load.configuration
            var texts = [
                "model": load.files.weights.string, "name": load.modelName, "id": load.key.modelID,
            ]
            texts["chat-template"] = load.files.chatTemplate?.string
            // What nobody has chosen is the server's own affair: it knows what the model was made for.
            if case .fixed(let tokens) = configuration.context { texts["context"] = String(tokens) }
            texts["slots"] = configuration.slots.map { String($0) }
            texts["reasoning-budget"] = configuration.reasoningBudget.map { String($0) }
            texts["draft"] = load.draft?.weights.string
            texts["draft-tokens"] = configuration.speculation?.maximumTokens.map { String($0) }
            texts["gpu-memory-utilization"] = configuration.vllm?.gpuMemoryUtilization.map { String($0) }
            texts["hf-overrides"] = configuration.vllm?.overrides
            switch address {
            case .unix(let path): texts["socket"] = path.string
            case .loopback(let port): texts["port"] = String(port)
            case nil: break
            }
            self.texts = texts
            mode = load.mode
        }

        subscript(name: String) -> String? { texts[name] }

        func holds(_ condition: BackendDescription.Condition) -> Bool {
            Load.Mode(rawValue: condition.rawValue).map { $0 == mode } ?? (texts[condition.rawValue] != nil)
        }
    }
}

extension DescribedBackend {
    /// Where somebody describes backends of their own, a file for each.
    package static func folder(_ paths: Paths) -> FilePath { paths.modelRunner.appending("backends") }

    /// The servers that are known without being described, and those in the folder; the latter replace the former.
    /// A file that cannot be used stands among them as what is wrong with it, and keeps no other from being used.
    package static func all(_ paths: Paths) throws -> [any Backend] {
        var found: [String: BackendDescription] = [:]
        var broken: [BrokenBackend] = []
        for json in try JSON(parsing: ByteBuffer(bytes: PackageResources.backends_json)).array ?? [] {
            let description = try BackendDescription(json)
            found[description.name] = description
        }
        for name in ((try? POSIX.list(folder(paths))) ?? []).sorted().prefix(64) where name.hasSuffix(".json") {
            let path = folder(paths).appending(name)
            do {
                let description = try BackendDescription(JSON(parsing: Files.read(path, limit: 1 << 20)))
                guard description.name != LlamaServer.backendName else {
                    throw Failure(.invalidArgument, "\(LlamaServer.backendName) is not described by a file")
                }
                found[description.name] = description
            } catch {
                let failure = Failure(.failedPrecondition, "cannot use the backend in \(path)", cause: error)
                broken.append(BrokenBackend(name: name, failure: failure))
            }
        }
        return found.values.sorted { $0.name < $1.name }.map { DescribedBackend($0, paths: paths) } + broken
    }
}
