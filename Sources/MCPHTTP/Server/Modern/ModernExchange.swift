internal import Bridge
internal import MCP
internal import NIOCore
internal import Synchronization

/// One modern request, and the stream of everything that is said in answer to it.
final class ModernExchange: Sendable {
    let id: RPC.ID
    let outlet: Outlet
    /// A subscription may miss nothing: it ends instead.
    let isSubscription: Bool
    private let failure = Mutex<Int?>(nil)

    init(_ request: RPC.Request, queue: Int) {
        id = request.id
        isSubscription = request.method == "subscriptions/listen"
        outlet = Outlet(limit: queue)
    }

    /// The status of the answer, where nothing has come before it.
    var status: Int { failure.withLock { $0 } ?? 200 }

    /// Says something; never waits for a client that does not read.
    func say(_ reply: ModernClientSession.Reply) {
        switch reply {
        case .notification(let notification):
            let event = StreamEvent(id: nil, bytes: RPC.Message.notification(notification).bytes)
            // Progress and logs may be missed; whoever misses a change has to ask for everything anew.
            if !outlet.offer(.message(event)), isSubscription { outlet.close() }
        case .last(let outcome):
            if case .failure(let error) = outcome { failure.withLock { $0 = error.status } }
            let message = RPC.Message.response(RPC.Response(id: id, outcome: outcome))
            outlet.add(.last(StreamEvent(id: nil, bytes: message.bytes)))
        }
    }
}
