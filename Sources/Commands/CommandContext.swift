package import Core
package import DockerEngine
package import SystemPackage
package import Terminal

/// What a command has besides its own arguments. A task-local value, so that tests run commands without a process.
package struct CommandContext: Sendable {
    package let console: Console
    package let paths: Paths
    /// Docker's own flags before the plugin's name.
    package let globals: PluginGlobals
    /// This program's file, for starting the daemon and supervised children.
    package let program: FilePath

    package init(console: Console, paths: Paths, globals: PluginGlobals, program: FilePath) {
        self.console = console
        self.paths = paths
        self.globals = globals
        self.program = program
    }

    @TaskLocal package static var current = CommandContext(
        console: .standard(), paths: Paths(), globals: PluginGlobals(),
        program: (try? POSIX.executablePath()) ?? "wharf")
}
