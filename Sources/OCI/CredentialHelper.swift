internal import Core
internal import NIOCore
internal import Subprocess

// On Darwin, Subprocess speaks of System's FilePath, elsewhere of SystemPackage's.
#if canImport(System)
    internal import System
#else
    internal import SystemPackage
#endif

/// A program `docker-credential-NAME` that keeps credentials: asked with the server's address on its standard input.
struct CredentialHelper: Sendable {
    let name: String
    let environment: [String: String]
    let limit: Duration

    private static let maximumOutput = 64 << 10

    /// - Throws: `.invalidArgument` for a name that could be more than the end of a program's name.
    init(name: String, environment: [String: String], limit: Duration = .seconds(30)) throws {
        let isSafe = name.utf8.allSatisfy {
            (48...57).contains($0) || (97...122).contains($0 | 32) || "-_.".utf8.contains($0)
        }
        guard isSafe, !name.isEmpty, name.utf8.count <= 64, name.first != ".", name.first != "-" else {
            throw Failure(
                .invalidArgument, "\"\(name.prefix(64).filter { !$0.isNewline })\" is no name of a credential helper",
                advice: "Look at credHelpers and credsStore in docker's config.json")
        }
        self.name = name
        self.environment = environment
        self.limit = limit
    }

    var program: String { "docker-credential-\(name)" }

    /// What the helper keeps for a server; nil when it keeps nothing.
    ///
    /// - Throws: `.failedPrecondition` when it is not there, does not work or says what nobody can read; `.timedOut`.
    func credential(for server: String) async throws -> Credential? {
        guard let path = place else {
            throw Failure(
                .failedPrecondition, "\(program) is not in PATH",
                advice: "Install it, or take it out of docker's config.json")
        }
        let (output, succeeded) = try await withDeadline(
            limit, "\(program) has not answered in \(limit.components.seconds) s"
        ) { try await run(path, server) }
        guard succeeded else {
            if Self.meansNothing.contains(where: { output.contains($0) }) { return nil }
            throw Failure(.failedPrecondition, "\(program) failed: \(Self.line(output))")
        }
        guard let json = try? JSON(parsing: output), let user = json["Username"]?.string,
            let secret = json["Secret"]?.string
        else { throw Failure(.failedPrecondition, "\(program) gave no credentials that can be understood") }
        return Credential(user: user, secret: secret)
    }

    /// What helpers print, beside an exit code of 1, for a server they know nothing of.
    private static let meansNothing = [
        "credentials not found in native keychain", "no credentials server URL", "no credentials username",
    ]

    private func run(_ path: String, _ server: String) async throws -> (output: String, succeeded: Bool) {
        var variables: [Environment.Key: String] = [:]
        for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
        var options = PlatformOptions()
        // What it starts in its turn is ended with it.
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
        ]
        do {
            // A pipe holds so short a text. Subprocess's own writing traps where the program does not read.
            let (input, end) = try FileDescriptor.pipe()
            do {
                defer { try? end.close() }
                _ = try end.writeAll(server.utf8)
            } catch {
                try? input.close()
                throw error
            }
            let result = try await Subprocess.run(
                .path(.init(path)), arguments: ["get"], environment: .custom(variables), platformOptions: options,
                input: .fileDescriptor(input, closeAfterSpawningProcess: true),
                output: .string(limit: Self.maximumOutput), error: .discarded)
            return (result.standardOutput, result.terminationStatus.isSuccess)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Failure(.failedPrecondition, "cannot run \(program) or read what it says", cause: error)
        }
    }

    private var place: String? {
        for folder in (environment["PATH"] ?? "").split(separator: ":") where folder.hasPrefix("/") {
            let path = "\(folder)/\(program)"
            if let status = try? POSIX.status(.init(path)), status.isRegular, status.mode & 0o111 != 0 { return path }
        }
        return nil
    }

    /// The first line, short; helpers print no secrets where they fail.
    private static func line(_ text: String) -> String {
        let first = text.split(whereSeparator: \.isNewline).first ?? "it says nothing"
        return String(first.prefix(200).filter { $0.isASCII && $0 >= " " })
    }
}
