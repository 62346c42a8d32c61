internal import Commands
internal import Core
internal import DockerEngine
internal import Foundation
internal import Inference
internal import Logging
internal import SystemPackage

POSIX.fillStandardDescriptors()
POSIX.ignoreBrokenPipes()
// Logs belong on stderr: stdout may carry a protocol or an answer.
LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }

let arguments = CommandLine.arguments
if arguments.count > 1, arguments[1] == ChildTrampoline.subcommand {
    ChildTrampoline.run(arguments: Array(arguments.dropFirst(2)))
}
exit(await Program.run(arguments))
