package import Core

/// The contract between docker's command line and its plugins.
package enum Plugin {
    /// What docker asks a plugin for with `docker-cli-plugin-metadata`.
    package static func metadata(name: String) -> JSON {
        [
            "SchemaVersion": "0.1.0", "Vendor": "Wharf", "Version": .string(WharfVersion.current),
            "ShortDescription": .string(name == "mcp" ? "Docker MCP Plugin" : "Docker Model Runner"),
        ]
    }
}

/// Docker's own flags, which it passes on before the plugin's name.
package struct PluginGlobals: Sendable, Hashable {
    package var context: String?
    package var host: String?
    package var configDirectory: String?
    package var isDebug = false
    package var logLevel: String?
    /// Whether any of docker's flags asks for an encrypted connection.
    package var wantsTLS = false

    package init() {}
}
