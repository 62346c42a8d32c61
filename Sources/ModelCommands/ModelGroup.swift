package import ArgumentParser

/// `docker model …`
package struct ModelGroup: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Docker Model Runner: run models on this machine",
        subcommands: [
            BenchModel.self, Configure.self, DiskFree.self, EngineGroup.self, Import.self, Inspect.self,
            InstallRunner.self,
            KeysGroup.self, List.self, Load.self, Logs.self, Package.self, Processes.self, Prune.self, Pull.self,
            Purge.self, Push.self, Remove.self, Requests.self, RestartRunner.self, Run.self, Save.self, Search.self,
            Show.self, StartRunner.self, Status.self, StopRunner.self, Tag.self, UninstallRunner.self, Unload.self,
            Version.self,
        ])

    package init() {}
}
