import Core
import SystemPackage
import Testing

/// Kills a program at a system call of one's choice: what a crash or a power cut does, at every point and every time.
struct Strace: Sendable {
    static var isThere: Bool { Files.exists("/usr/bin/strace") }

    /// The call that is not made any more.
    let call: String
    /// Which one of a thread's calls, from 1.
    let number: Int

    /// The largest number it knows, which no call has: nothing is killed.
    static let never = 65535

    /// One thread for tasks and one for files, so that the numbers mean the same each time.
    static let quiet = [
        "LIBDISPATCH_COOPERATIVE_POOL_STRICT": "1", "NIO_SINGLETON_BLOCKING_POOL_THREAD_COUNT": "1",
        "SWIFT_BACKTRACE": "enable=no",
    ]

    /// The arguments of `env` that run a program so.
    func arguments(_ program: String, _ arguments: [String]) -> [String] {
        [
            "strace", "-f", "-qqq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
            "inject=\(call):signal=KILL:when=\(number)", program,
        ] + arguments
    }
}
