internal import CPlatform
internal import Core
internal import Synchronization
package import SystemPackage

/// Where a command reads from and writes to, so that commands can be tested without a process.
package struct Console: Sendable {
    package let out: Output
    package let err: Output
    package let environment: [String: String]
    /// Whether stdin is a terminal.
    package let isInteractive: Bool

    package init(out: Output, err: Output, environment: [String: String] = [:], isInteractive: Bool = false) {
        self.out = out
        self.err = err
        self.environment = environment
        self.isInteractive = isInteractive
    }

    /// The process's own streams.
    package static func standard() -> Console {
        let environment = POSIX.environment
        return Console(
            out: Output(.standardOutput, environment: environment),
            err: Output(.standardError, environment: environment),
            environment: environment, isInteractive: POSIX.isTerminal(.standardInput))
    }

    /// One stream, written whole pieces at a time.
    package final class Output: Sendable {
        package let isTerminal: Bool
        /// Whether colours may be used: on terminals, unless `NO_COLOR` is set or the terminal is dumb.
        package let hasColour: Bool
        /// Whether what was printed may be printed over: on terminals, unless they are dumb.
        package let canRedraw: Bool
        private let write: @Sendable ([UInt8]) -> Errno?
        /// Why something that was printed could not be written; then nothing more is.
        private let lost = Mutex<Errno?>(nil)
        private let isStuck = Atomic(false)
        private let descriptor: Int32?
        private let width: @Sendable () -> Int

        package init(_ descriptor: SystemPackage.FileDescriptor, environment: [String: String]) {
            isTerminal = POSIX.isTerminal(descriptor)
            canRedraw = isTerminal && environment["TERM"] != "dumb"
            hasColour = canRedraw && environment["NO_COLOR", default: ""].isEmpty
            self.descriptor = descriptor.rawValue
            width = { Int(wharf_terminal_columns(descriptor.rawValue)) }
            write = { Self.writeAll($0, to: descriptor) }
        }

        /// Collects what is written, for tests.
        package init(
            isTerminal: Bool = false, isDumb: Bool = false, columns: @escaping @Sendable () -> Int = { 80 },
            _ write: @escaping @Sendable ([UInt8]) -> Void
        ) {
            self.isTerminal = isTerminal
            canRedraw = isTerminal && !isDumb
            hasColour = canRedraw
            descriptor = nil
            width = columns
            self.write = { bytes in
                write(bytes)
                return nil
            }
        }

        package var columns: Int {
            let columns = width()
            return columns > 0 ? columns : 80
        }

        /// Why something that was printed could not be written; `.brokenPipe` when its reader has gone.
        package var loss: Errno? { lost.withLock { $0 } }

        /// Ends work whose output goes nowhere.
        ///
        /// - Throws: `OutputLost` when something that was printed could not be written.
        package func checkIsRead() throws { if loss != nil { throw OutputLost() } }

        /// Writes all of it or nothing more: where a piece is missing the rest would only mislead.
        package func print(_ text: String, terminator: String = "\n") {
            lost.withLock { lost in
                if lost == nil { lost = write(Array((text + terminator).utf8)) }
            }
        }

        private static func writeAll(_ bytes: [UInt8], to descriptor: FileDescriptor) -> Errno? {
            var rest = bytes[...]
            while !rest.isEmpty {
                do {
                    rest = rest.dropFirst(try rest.withUnsafeBytes { try descriptor.write($0) })
                } catch Errno.wouldBlock {
                    // Somebody who shares the pipe or the terminal has made it so.
                    POSIX.waitUntilWritable(descriptor)
                } catch { return error as? Errno ?? .ioError }
            }
            return nil
        }

        /// Bytes of an offered line: what a pipe that can be written at all takes without waiting.
        package static let maximumOffer = 4000

        /// Prints a line that the program must not wait for: dropped where the reader does not keep up, and cut where
        /// it is very long.
        package func offer(_ text: String) async {
            let line = String(decoding: text.utf8.prefix(Self.maximumOffer), as: UTF8.self)
            guard let descriptor = descriptor.map(FileDescriptor.init(rawValue:)) else { return print(line) }
            for _ in 0..<20 {
                if POSIX.isWritable(descriptor) {
                    isStuck.store(false, ordering: .relaxed)
                    return print(line)
                }
                // A reader that has not come for a while is not waited for line after line.
                if isStuck.load(ordering: .relaxed) { return }
                try? await Task.sleep(for: .milliseconds(10))
            }
            isStuck.store(true, ordering: .relaxed)
        }

        /// The text in a style where colours may be used, plain elsewhere.
        package func styled(_ text: String, _ style: Style) -> String {
            hasColour ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
        }
    }

    package enum Style: Int, Sendable {
        case bold = 1
        case dim = 2
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
    }
}

/// Nobody gets the output any more, so there is no use in going on; `Console.Output.loss` tells why.
package struct OutputLost: Error {
    package init() {}
}
