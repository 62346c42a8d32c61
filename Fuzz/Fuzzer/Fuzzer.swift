import FuzzDriver
import ParserChecks
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Feeds one of the parsers from libFuzzer: `wharf-fuzz PARSER [libFuzzer's arguments]`. Without a parser it names them;
/// with `seeds PARSER FOLDER` it writes sound input to begin with.
@main struct Fuzzer {
    /// What libFuzzer's callback, which can hold nothing itself, is to run, and the file it may use.
    private static let target = Mutex((check: ParserCheck.json, scratch: FilePath("/tmp")))

    static func main() {
        var arguments = CommandLine.arguments
        if arguments.count == 4, arguments[1] == "seeds", let check = ParserCheck(rawValue: arguments[2]) {
            return writeSeeds(check, FilePath(arguments[3]))
        }
        guard arguments.count > 1, let check = ParserCheck(rawValue: arguments[1]) else {
            return print(ParserCheck.allCases.map(\.rawValue).joined(separator: "\n"))
        }
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        let scratch = FilePath(folder).appending("wharf-fuzz-\(check.rawValue)-\(getpid())")
        target.withLock { $0 = (check, scratch) }
        arguments.remove(at: 1)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var count = Int32(arguments.count)
        let status = words.withUnsafeMutableBufferPointer { buffer in
            var start = buffer.baseAddress
            return LLVMFuzzerRunDriver(&count, &start) { data, size in Fuzzer.run(data, size) }
        }
        _ = try? scratch.withPlatformString { unlink($0) }
        exit(status)
    }

    private static func run(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
        let (check, scratch) = target.withLock { $0 }
        do { try check.run([UInt8](UnsafeBufferPointer(start: data, count: size)), scratch: scratch) } catch {
            // A trap is what the fuzzer sees, and keeps the input of.
            fatalError("\(check.rawValue): \(error)")
        }
        return 0
    }

    private static func writeSeeds(_ check: ParserCheck, _ folder: FilePath) {
        for (number, seed) in check.seeds.enumerated() {
            do {
                let file = try FileDescriptor.open(
                    folder.appending("seed-\(number)"), .writeOnly, options: [.create, .truncate],
                    permissions: .ownerReadWrite)
                try file.closeAfter { _ = try file.writeAll(seed) }
            } catch {
                print("cannot write to \(folder): \(error)")
                exit(1)
            }
        }
    }
}
