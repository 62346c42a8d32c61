/// What one request decides about its model's runner, on top of what is configured.
package struct LoadOverrides: Sendable, Hashable {
    package var keepAlive: KeepAlive?
    /// Tokens; -1 for as many as the model was made for.
    package var contextSize: Int?
    /// Tokens of reasoning; -1 for no limit, 0 for none.
    package var reasoningBudget: Int?

    package init(keepAlive: KeepAlive? = nil, contextSize: Int? = nil, reasoningBudget: Int? = nil) {
        self.keepAlive = keepAlive
        self.contextSize = contextSize
        self.reasoningBudget = reasoningBudget
    }
}
