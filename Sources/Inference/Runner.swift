/// One live engine with its model loaded, reached over its address.
package struct Runner: Sendable, Hashable {
    /// Unique within the process, so that a late release never hits a successor in the same slot.
    package typealias ID = UInt64

    package let id: ID
    package let load: Load
    /// Tokens it was started with; nil where the engine chose.
    package let context: Int?
    package let address: EngineAddress
}

/// A runner as the `ps` route shows it.
package struct RunnerStatus: Sendable, Hashable {
    package let backend: String
    package let modelID: String
    package let modelName: String
    package let mode: Load.Mode
    /// Seconds since 1970.
    package let lastUsed: Int64
    package let inUse: Bool
    package let loading: Bool
    package let keepAlive: KeepAlive
    /// Tokens it was started with; nil where the engine chose.
    package let contextSize: Int?
    /// What it was estimated to take; zero where nothing is known.
    package let memory: Memory
    package let configuration: EngineConfiguration
    package let draftModelID: String?
}
