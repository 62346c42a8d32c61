internal import Core
internal import SystemPackage

/// A Python that can make virtual environments.
struct Python {
    let program: FilePath

    /// The oldest the engine's wheel runs on.
    static let oldest = (major: 3, minor: 10)

    private static let question = """
        import sys, importlib.util
        missing = [m for m in ("venv", "ensurepip") if importlib.util.find_spec(m) is None]
        print(sys.version_info[0], sys.version_info[1], *missing)
        """

    /// What an interpreter answered about itself.
    struct Answer: Equatable {
        let major: Int
        let minor: Int
        let missing: [String]

        init?(_ text: String) {
            let words = text.split(whereSeparator: \.isWhitespace)
            guard words.count >= 2, let major = Int(words[0]), let minor = Int(words[1]) else { return nil }
            self.major = major
            self.minor = minor
            missing = words.dropFirst(2).map(String.init)
        }

        var isNewEnough: Bool { (major, minor) >= Python.oldest }
    }

    /// The first in `PATH` that will do, newer versions looked for by name after plain `python3`.
    ///
    /// - Throws: `.failedPrecondition` saying what to install.
    static func find(environment: [String: String]) async throws -> Python {
        let folders = (environment["PATH"] ?? "").split(separator: ":").filter { $0.hasPrefix("/") }
        let names = ["python3"] + (oldest.minor...14).reversed().map { "python3.\($0)" }
        var tooOld: String?
        var incomplete: Answer?
        var broken: String?
        for name in names {
            for folder in folders {
                let path = FilePath(String(folder)).appending(name)
                guard let status = try? POSIX.status(path), status.isRegular, status.mode & 0o111 != 0 else { continue }
                let text: String
                do {
                    text = try await Command(path, ["-I", "-c", question], environment: environment)
                        .output(within: .seconds(20))
                } catch let failure as Failure where failure.code != .cancelled {
                    broken = broken ?? failure.description
                    continue
                }
                guard let answer = Answer(text) else {
                    broken = broken ?? "\(path) does not answer as Python does"
                    continue
                }
                if !answer.isNewEnough {
                    tooOld = "\(path) is \(answer.major).\(answer.minor)"
                } else if answer.missing.isEmpty {
                    return Python(program: path)
                } else {
                    incomplete = answer
                }
            }
        }
        if incomplete != nil {
            throw Failure(.failedPrecondition, "python3-venv is missing", advice: "Run: apt-get install python3-venv")
        }
        let needed = "Python \(oldest.major).\(oldest.minor) or later"
        throw Failure(
            .failedPrecondition,
            tooOld.map { "\($0), the engine needs \(needed)" } ?? broken ?? "there is no python3 in PATH",
            advice: "Install \(needed), or set LLAMA_SERVER_PATH to a llama-server of your own.")
    }
}
