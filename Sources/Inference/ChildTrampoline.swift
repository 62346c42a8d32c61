internal import CPlatform
internal import Core
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The hidden subcommand through which engines are started, so that none outlives a killed daemon.
///
/// Subprocess has no hook between fork and exec. So our own executable is started first, ties its life to the
/// daemon's, and becomes the engine by `execv`: same process, same pipes.
package enum ChildTrampoline {
    /// The name of the subcommand.
    package static let subcommand = "__child"

    /// Arguments for our own executable that make it become `program`.
    static func arguments(program: FilePath, arguments: [String]) -> [String] {
        [subcommand, String(POSIX.processID), "--", program.string] + arguments
    }

    struct Request: Equatable {
        let parent: Int32
        let program: String
        let arguments: [String]

        /// - Parameter words: what follows the subcommand: `PARENT-PID -- PROGRAM ARGUMENT…`.
        init?(_ words: [String]) {
            guard words.count >= 3, let parent = Int32(words[0]), parent > 0, words[1] == "--", !words[2].isEmpty else {
                return nil
            }
            self.parent = parent
            program = words[2]
            arguments = Array(words[3...])
        }
    }

    /// Becomes the program. Only returns by ending the process: 127 when the program cannot be started.
    package static func run(arguments: [String]) -> Never {
        #if canImport(Darwin)
            if arguments.first == "--watch" { watch(Array(arguments.dropFirst())) }
        #endif
        guard let request = Request(arguments) else { fail("this subcommand is for wharf's own use") }
        tieLife(to: request.parent)
        // The parent may have died before the request reached the kernel.
        guard getppid() == request.parent else { fail("the daemon is gone") }
        var words: [UnsafeMutablePointer<CChar>?] = ([request.program] + request.arguments).map { strdup($0) }
        words.append(nil)
        execv(request.program, &words)
        fail("cannot start \(request.program): \(Errno(rawValue: errno))")
    }

    private static func fail(_ message: String) -> Never {
        _ = try? FileDescriptor.standardError.writeAll("wharf: \(message)\n".utf8)
        _exit(127)
    }

    #if canImport(Darwin)
        /// Darwin cannot signal a child when its parent dies: a watcher beside the engine waits for either to end.
        private static func tieLife(to parent: Int32) {
            guard let program = try? POSIX.executablePath() else { fail("cannot find the own executable") }
            let words = [program.string, subcommand, "--watch", String(parent), String(getpid())]
            var copies: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
            copies.append(nil)
            var actions: posix_spawn_file_actions_t?
            posix_spawn_file_actions_init(&actions)
            // Without this the watcher would hold the engine's output open.
            for descriptor: Int32 in 0...2 {
                posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
            }
            var watcher = pid_t()
            if posix_spawn(&watcher, program.string, &actions, nil, copies, environ) != 0 {
                fail("cannot watch the daemon")
            }
        }

        private static func watch(_ words: [String]) -> Never {
            guard words.count == 2, let parent = Int32(words[0]), let engine = Int32(words[1]) else { _exit(2) }
            let queue = kqueue()
            for process in [parent, engine] {
                var change = kevent(
                    ident: UInt(process), filter: Int16(EVFILT_PROC), flags: UInt16(EV_ADD), fflags: NOTE_EXIT, data: 0,
                    udata: nil)
                if kevent(queue, &change, 1, nil, 0, nil) < 0 {
                    // It is gone already.
                    if process == parent { kill(engine, SIGKILL) }
                    _exit(0)
                }
            }
            var event = kevent()
            while kevent(queue, nil, 0, &event, 1, nil) < 0 && errno == EINTR {}
            if event.ident == UInt(parent) { kill(engine, SIGKILL) }
            _exit(0)
        }
    #else
        private static func tieLife(to parent: Int32) {
            guard wharf_set_parent_death_signal(SIGKILL) == 0 else {
                fail("cannot tie the engine to the daemon: \(Errno(rawValue: errno))")
            }
        }
    #endif
}
