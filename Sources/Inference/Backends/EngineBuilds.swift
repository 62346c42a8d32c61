internal import Core
internal import Synchronization
internal import SystemPackage

/// The builds of llama.cpp on this machine, side by side, and which of them is run: the one that finds the best device.
final class EngineBuilds: Sendable {
    struct Build: Sendable, Hashable {
        /// `cpu`, `cuda`, `vulkan`, …: its folder's name.
        var name: String
        var program: FilePath
    }

    private struct Identity: Hashable {
        let program: FilePath
        let inode: UInt64
        let modified: Int64
    }

    private let paths: Paths
    private let environment: [String: String]
    private let known = Mutex<[Identity: DeviceList]>([:])
    /// Of the build that was chosen last.
    private let latest = Mutex<DeviceList?>(nil)

    init(paths: Paths, environment: [String: String]) {
        self.paths = paths
        self.environment = environment
    }

    /// Where builds are kept side by side, each in a folder of its own.
    static func folder(_ paths: Paths) -> FilePath { LlamaServer.home(paths).appending("builds") }

    /// Builds in the order they are preferred without regard to devices: `LLAMA_SERVER_PATH` alone where it is set (a
    /// program, its folder, or a folder of builds); the installed engine, `builds`, `llama-server` in `PATH`.
    ///
    /// - Throws: `.failedPrecondition` when the variable names nothing that can be run.
    func candidates() throws -> [Build] {
        if let setting = paths.setting("LLAMA_SERVER_PATH") {
            let path = FilePath(setting)
            for candidate in [path, path.appending("llama-server")] where Self.isProgram(candidate) {
                return [Build(name: path.lastComponent?.string ?? "", program: candidate)]
            }
            let builds = Self.builds(in: path)
            guard builds.isEmpty else { return builds }
            throw Failure(
                .failedPrecondition, "LLAMA_SERVER_PATH is \(setting), which neither is nor holds a llama-server",
                advice: "Correct it, or unset it to use the engine that install-runner brings.")
        }
        let installed = LlamaServer.home(paths).appending("bin").appending("llama-server")
        let search = (paths.environment["PATH"] ?? "").split(separator: ":").filter { $0.hasPrefix("/") }
        let elsewhere = search.map { FilePath(String($0)).appending("llama-server") }.first(where: Self.isProgram)
        return (Self.isProgram(installed) ? [Build(name: "cpu", program: installed)] : [])
            + Self.builds(in: Self.folder(paths))
            + (elsewhere.map { [Build(name: "PATH", program: $0)] } ?? [])
    }

    private static func builds(in folder: FilePath) -> [Build] {
        ((try? POSIX.list(folder)) ?? []).sorted().prefix(16).compactMap { name in
            guard let component = FilePath.Component(name) else { return nil }
            let places = [folder.appending(component), folder.appending(component).appending("bin")]
            return places.map { $0.appending("llama-server") }.first(where: isProgram)
                .map { Build(name: name, program: $0) }
        }
    }

    private static func isProgram(_ path: FilePath) -> Bool {
        guard let status = try? POSIX.status(path) else { return false }
        return status.isRegular && status.mode & 0o111 != 0
    }

    /// The build to run, as far as devices are known; nil where there is none.
    func chosen() throws -> (build: Build, devices: DeviceList?)? {
        let best = Self.best(try candidates().map { (build: $0, devices: devices(of: $0)) })
        latest.withLock { $0 = best?.devices }
        return best
    }

    /// What the build that was chosen last has, without a look at the disk.
    var latestDevices: DeviceList? { latest.withLock { $0 } }

    static func best(_ candidates: [(build: Build, devices: DeviceList?)]) -> (build: Build, devices: DeviceList?)? {
        let ranked = candidates.filter { $0.devices?.rank != nil }
        return ranked.min { ($0.devices?.rank ?? .max) < ($1.devices?.rank ?? .max) } ?? candidates.first
    }

    /// What a build was found to have; nil when it has not been asked.
    func devices(of build: Build) -> DeviceList? {
        guard let identity = Self.identity(build) else { return nil }
        return known.withLock { $0[identity] }
    }

    private static func identity(_ build: Build) -> Identity? {
        (try? POSIX.status(build.program)).map {
            Identity(program: build.program, inode: $0.inode, modified: $0.modified)
        }
    }

    /// Asks every build that has not been asked. One that does not answer has no devices.
    func probe() async {
        for build in (try? candidates()) ?? [] where devices(of: build) == nil {
            guard let identity = Self.identity(build) else { continue }
            let answer = try? await Command(build.program, ["--list-devices"], environment: environment)
                .output(within: .seconds(30))
            if Task.isCancelled { return }
            known.withLock { known in
                if known.count > 64 { known = [:] }
                known[identity] = DeviceList(parsing: answer ?? "")
            }
        }
        _ = try? chosen()
    }
}
