package import Core
internal import NIOCore
package import SystemPackage

/// Brings llama.cpp's server to this machine as a Python wheel in a private environment, and takes it away again.
///
/// The program `bin/llama-server` is written last and removed first: while it is there the rest is whole.
package struct EngineInstaller: Sendable {
    package static let package = "xllamacpp"
    package static let version = "2026.10.11549"

    private let paths: Paths
    private let trampoline: FilePath?

    /// - Parameter trampoline: our own executable, with which pip ends when this process does; nil runs it directly.
    package init(paths: Paths, trampoline: FilePath? = nil) {
        self.paths = paths
        self.trampoline = trampoline
    }

    private var home: FilePath { LlamaServer.home(paths) }
    private var environmentFolder: FilePath { home.appending("venv") }
    private var launcher: FilePath { home.appending("llama_server.py") }
    private var program: FilePath { home.appending("bin").appending("llama-server") }
    /// Says which wheel the environment holds; written after pip has succeeded.
    private var marker: FilePath { environmentFolder.appending("wharf-engine") }

    /// The wrapper that stands for the engine's program.
    static let wrapper = """
        #!/bin/sh
        here=$(dirname "$(readlink -f "$0")")
        exec "$here/../venv/bin/python" -I "$here/../llama_server.py" "$@"

        """

    /// Whether the pinned engine is there and whole.
    package var isInstalled: Bool { Files.exists(program) && installedVersion == Self.version }

    /// Bytes of all that has been installed.
    package var diskUsage: Int64 { Files.diskUsage(home) }

    /// Installs the pinned engine; does nothing when it is there.
    ///
    /// - Parameter progress: one line per step, for a person.
    /// - Throws: `.failedPrecondition` when the machine lacks something, saying what to do; `.conflict` when another
    ///   installation is running; `.internalError` with pip's last words.
    package func install(progress: @Sendable (String) async -> Void) async throws {
        try CPUFeatures.check()
        try Files.makeDirectory(home)
        guard let lock = try FileLock.acquire(home.appending("install.lock"), wait: false) else {
            throw Failure(.conflict, "another installation of llama.cpp is running", advice: "Wait for it to finish.")
        }
        if isInstalled {
            try writeLauncher()
            await progress("llama.cpp (\(Self.package) \(Self.version)) is already installed")
        } else {
            let python = try await Python.find(environment: toolEnvironment)
            try Files.remove(program)
            if installedVersion != Self.version { try await makeEnvironment(python, progress: progress) }
            try writeLauncher()
            let version = try await verify()
            try Files.makeDirectory(home.appending("bin"))
            try Files.write(ByteBuffer(string: Self.wrapper), to: program, mode: 0o755)
            await progress("llama.cpp is installed: \(version)")
        }
        _ = consume lock
    }

    /// Removes what `install` has put there, nothing else.
    ///
    /// - Returns: whether there was anything.
    package func uninstall() throws -> Bool {
        let parts = [program, marker, environmentFolder, launcher]
        let wasThere = parts.contains { (try? POSIX.status($0, following: false)) != nil }
        for path in parts { try Files.remove(path) }
        return wasThere
    }

    private var installedVersion: String? {
        (try? Files.read(marker, limit: 1 << 10)).map { String(buffer: $0) }
    }

    private func makeEnvironment(_ python: Python, progress: @Sendable (String) async -> Void) async throws {
        // Environments cannot be moved once made, so a half one is recognised by its missing marker and made anew.
        try await removeEnvironment()
        do { try await fillEnvironment(python, progress: progress) } catch {
            // Looked at before the half one goes, which may be what has filled the disk.
            let free = POSIX.freeSpace(at: home)
            // A half one is of no use and takes space; also when the installation was cancelled.
            await shielded { _ = try? await removeEnvironment() }
            throw Self.explain(error, free: free, in: home)
        }
    }

    private func fillEnvironment(_ python: Python, progress: @Sendable (String) async -> Void) async throws {
        await progress("Making a private Python environment in \(environmentFolder)")
        do {
            _ = try await Command(
                python.program, ["-I", "-m", "venv", environmentFolder.string], environment: toolEnvironment,
                trampoline: trampoline
            ).output()
        } catch let failure as Failure {
            throw Failure(failure.code, "cannot make the engine's Python environment", cause: failure)
        }
        await progress("Installing \(Self.package) \(Self.version)")
        let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", "--no-deps"]
        do {
            _ = try await Command(
                environmentFolder.appending("bin").appending("python"), pip + ["\(Self.package)==\(Self.version)"],
                environment: toolEnvironment, trampoline: trampoline
            ).output()
        } catch let failure as Failure {
            throw Failure(
                failure.code, "cannot install \(Self.package) \(Self.version)", cause: failure,
                advice: "Check the network and pip's own settings (proxy, index), then run it again.")
        }
        try Files.write(ByteBuffer(string: Self.version), to: marker)
    }

    /// Bytes that an installation needs, with what pip unpacks on the way.
    private static let neededSpace: Int64 = 256 << 20

    /// What Python says on a full disk names everything but the disk.
    static func explain(_ error: any Error, free: Int64?, in folder: FilePath) -> any Error {
        guard let failure = error as? Failure, failure.code != .cancelled, let free, free < neededSpace else {
            return error
        }
        return Failure(
            .resourceExhausted, failure.message, cause: failure.cause,
            advice: "Only \(ByteCount(free)) are free in \(folder), about \(ByteCount(neededSpace)) are needed.")
    }

    /// What an installation that was killed had started may go on writing there for a moment.
    private func removeEnvironment() async throws {
        for _ in 0..<40 {
            do { return try Files.remove(environmentFolder) } catch let failure as Failure {
                guard failure.cause as? Errno == .directoryNotEmpty else { throw failure }
                try await Task.sleep(for: .milliseconds(250))
            }
        }
        try Files.remove(environmentFolder)
    }

    private func writeLauncher() throws {
        try Files.write(ByteBuffer(bytes: PackageResources.llama_server_py), to: launcher)
    }

    /// Runs the new engine once; what it says about itself.
    private func verify() async throws -> String {
        let output = try await Command(
            environmentFolder.appending("bin").appending("python"), ["-I", launcher.string, "--version"],
            environment: toolEnvironment
        ).output(within: .seconds(60))
        return output.split(whereSeparator: \.isNewline).last.map(String.init) ?? "no version"
    }

    /// Python's own variables would lead it out of the private environment.
    private var toolEnvironment: [String: String] {
        paths.environment.filter {
            !["PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"].contains($0.key)
        }
    }
}
