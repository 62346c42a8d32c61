internal import Core
internal import NIOCore
internal import SystemPackage

/// What the prebuilt engine takes for granted of an x86-64 CPU; it has no dispatch at run time and would die of SIGILL.
enum CPUFeatures {
    static let needed = ["avx2", "fma", "f16c", "bmi2"]

    /// Which needed features a `/proc/cpuinfo` lacks; none where it does not describe an x86 CPU.
    static func missing(cpuinfo: String) -> [String] {
        guard let line = cpuinfo.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("flags") }) else {
            return []
        }
        let flags = Set(line.split(whereSeparator: \.isWhitespace).map(String.init))
        return needed.filter { !flags.contains($0) }
    }

    /// - Throws: `.failedPrecondition` where the prebuilt engine cannot run.
    static func check() throws {
        #if os(Linux) && arch(x86_64)
            guard let text = try? Files.read("/proc/cpuinfo", limit: 64 << 20) else { return }
            let missing = missing(cpuinfo: String(buffer: text))
            if missing.isEmpty { return }
            throw Failure(
                .failedPrecondition,
                "this CPU lacks \(missing.joined(separator: ", ")), which the prebuilt engine needs",
                advice: "Build llama.cpp for this machine and set LLAMA_SERVER_PATH to its llama-server.")
        #endif
    }
}
