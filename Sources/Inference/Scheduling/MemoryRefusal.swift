internal import Core

/// Why a model cannot be loaded: what it needs, what there is, and what to do.
struct MemoryRefusal {
    let load: Load
    /// What its smallest context takes.
    let least: Memory
    /// What there would be if everybody who may go went.
    let most: Memory
    let hasSlot: Bool
    /// Runners that stay until they are unloaded.
    let kept: [SchedulerState.Occupant]

    var failure: Failure {
        let names = Set(kept.map(\.load.modelName)).sorted().joined(separator: ", ")
        guard hasSlot else {
            return Failure(
                .resourceExhausted, "all places for models are taken by models that are kept loaded: \(names)",
                advice: "Unload one with: docker model unload MODEL.")
        }
        let isDevice = !Memory(device: least.device).fits(in: most)
        let (needed, there) = isDevice ? (least.device, most.device) : (least.host, most.host)
        var advice: [String] = []
        if !kept.isEmpty { advice.append("unload what is kept loaded (\(names))") }
        if case .fixed(let tokens) = load.configuration.context, tokens > Load.smallestContext {
            advice.append("use a context smaller than \(tokens) tokens")
        }
        advice.append("use a smaller model")
        advice.append("or set \(MemoryBudget.variable) if the machine has more")
        let text = advice.joined(separator: ", ")
        return Failure(
            .resourceExhausted,
            "not enough \(isDevice ? "GPU " : "")memory for \(load.modelName): it needs about "
                + "\(ByteCount(needed).binary), \(ByteCount(max(0, there)).binary) can be had",
            advice: text.prefix(1).uppercased() + text.dropFirst() + ".")
    }
}
