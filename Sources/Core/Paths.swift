package import SystemPackage

/// Where things are kept, derived from the environment once: `~/.docker` unless `DOCKER_CONFIG` says otherwise.
package struct Paths: Sendable {
    package let environment: [String: String]
    package let home: FilePath

    package init(environment: [String: String] = POSIX.environment) {
        self.environment = environment
        home = FilePath(environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/")
    }

    /// `~/.docker`, also the folder of docker's own `config.json`.
    package var docker: FilePath {
        setting("DOCKER_CONFIG").map { FilePath($0) } ?? home.appending(".docker")
    }

    /// The models' store: `MODELS_PATH` or `~/.docker/models`.
    package var models: FilePath {
        setting("MODELS_PATH").map { FilePath($0) } ?? docker.appending("models")
    }

    /// What belongs to the runner daemon: engine, log, socket, locks.
    package var modelRunner: FilePath { docker.appending("model-runner") }

    package var modelRunnerLog: FilePath { modelRunner.appending("model-runner.log") }

    /// What belongs to the MCP toolkit: catalogs, configuration.
    package var mcp: FilePath { docker.appending("mcp") }

    /// The daemon's socket: `MODEL_RUNNER_SOCK`, else in `modelRunner`, else, where that path is too long for a
    /// socket address, in the temporary folder under a name derived from it.
    package var modelRunnerSocket: FilePath {
        if let path = setting("MODEL_RUNNER_SOCK") { return FilePath(path) }
        let usual = modelRunner.appending("model-runner.sock")
        if usual.string.utf8.count <= Paths.maximumSocketPath { return usual }
        let hash = usual.string.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return Paths.temporary.appending("wharf-\(POSIX.userID)").appending("\(String(hash, radix: 36)).sock")
    }

    /// A set, non-empty variable, without the white space and quotes people leave around values.
    package func setting(_ name: String) -> String? {
        guard let value = environment[name] else { return nil }
        let trimmed = value.trimmingPrefix(while: \.isWhitespace)
        var text = String(trimmed.reversed().trimmingPrefix(while: \.isWhitespace).reversed())
        if text.count >= 2, let quote = text.first, quote == "\"" || quote == "'", text.last == quote {
            text = String(text.dropFirst().dropLast())
        }
        return text.isEmpty ? nil : text
    }

    /// Bytes a `sockaddr_un` path may have on every platform of ours (Darwin has 104 with the terminator).
    package static let maximumSocketPath = 103

    package static var temporary: FilePath {
        FilePath(POSIX.environmentVariable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp")
    }
}
