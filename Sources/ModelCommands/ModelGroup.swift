package import ArgumentParser

/// `docker model …`
package struct ModelGroup: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Docker Model Runner: run models on this machine",
        subcommands: [
            EngineGroup.self, Inspect.self, InstallRunner.self, List.self, Package.self, Pull.self, Push.self,
            Remove.self, Run.self, Status.self, UninstallRunner.self, Version.self,
        ])

    package init() {}
}
