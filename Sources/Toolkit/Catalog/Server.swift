/// One MCP server as a catalog describes it. Only a description: what it may use is decided where it is launched.
package struct Server: Sendable, Hashable {
    package struct Variable: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    package struct Secret: Sendable, Hashable {
        /// The secret's own name, `github.personal_access_token`.
        package let name: String
        /// The variable the server expects it in.
        package let environmentName: String
    }

    /// Where a server is that runs somewhere else.
    package struct Remote: Sendable, Hashable {
        /// With templates, like all of an entry's values.
        package let url: String
        /// `streamable-http`, `sse`, …; nil where the entry does not say.
        package let transport: String?
        /// Their values name the entry's secrets: `Bearer ${TOKEN}`.
        package let headers: [Variable]
        /// Whether the entry says that users sign in to it.
        package let wantsSignIn: Bool
    }

    package let name: String
    package let title: String?
    package let description: String?
    package let image: String?
    package let remote: Remote?
    package let command: [String]
    package let environment: [Variable]
    package let secrets: [Secret]
    package let user: String?
    /// What it wants mounted, `SOURCE:TARGET[:ro]` with templates; only what the user grants is.
    package let volumes: [String]
    /// Whether it says nothing of doing without a network; it gets one only where the user grants it.
    package let wantsNetwork: Bool
    /// Whether it keeps running however long nobody calls it.
    package let isLongLived: Bool
    /// Whether one container may serve several clients at once, because it remembers nothing of any.
    package let isStateless: Bool
    /// What its tools' names begin with, where the catalog wants that.
    package var prefix: String?
}
