internal import Synchronization

/// What has happened and is still to be told: any number of senders, who never wait, and one listener, who hears of
/// many things at once where there is much to tell.
final class EventQueue: Sendable {
    /// The oldest are lost beyond.
    static let maximum = 4096
    /// How long the listener lets more come together: waking it for each call would cost more than telling of it.
    private static let pause = Duration.milliseconds(5)

    private struct State {
        var events: [GatewayEvent] = []
        var listener: CheckedContinuation<Void, Never>?
        var isFinished = false
    }

    private let state = Mutex(State())

    func add(_ event: GatewayEvent) {
        let listener = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.events.count >= 2 * Self.maximum { state.events.removeFirst(Self.maximum) }
            state.events.append(event)
            defer { state.listener = nil }
            return state.listener
        }
        listener?.resume()
    }

    func finish() {
        let listener = state.withLock { state in
            state.isFinished = true
            defer { state.listener = nil }
            return state.listener
        }
        listener?.resume()
    }

    /// Tells everything, one thing after the other, until the queue is finished and empty.
    func tell(_ onEvent: (GatewayEvent) async -> Void) async {
        while true {
            await withCheckedContinuation { listener in
                let isNews = state.withLock { state in
                    let isNews = !state.events.isEmpty || state.isFinished
                    if !isNews { state.listener = listener }
                    return isNews
                }
                if isNews { listener.resume() }
            }
            let (events, isFinished) = state.withLock { state in
                defer { state.events = [] }
                return (state.events.suffix(Self.maximum), state.isFinished)
            }
            for event in events { await onEvent(event) }
            if isFinished, events.isEmpty { return }
            if !isFinished { try? await Task.sleep(for: Self.pause) }
        }
    }
}
