internal import Bridge
internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import MCP
internal import NIOCore

/// Requests that stand for themselves: one POST, one answer, or a stream that ends with it. Closing it takes it back.
extension Front {
    func modern(
        _ payload: Payload, _ request: Request, _ caller: Caller, _ context: HTTPContext
    ) async throws -> Response {
        guard case .message(let message, _) = payload else {
            throw Refusal(.badRequest, .invalidRequest("batches are not accepted"))
        }
        switch message {
        case .response:
            throw Refusal(.badRequest, .invalidRequest("a client has nothing to answer in this protocol"))
        case .notification:
            // There are none over HTTP in this protocol, but clients that send them need not be stopped.
            let version = request.headers[.protocolVersion] ?? ""
            guard Revision.modern.contains(where: { $0.rawValue == version }) else {
                throw Refusal(.badRequest, .unsupportedVersion(version))
            }
            return Response(status: .accepted)
        case .request(let call):
            do throws(RPC.Error) {
                let envelope = try Self.envelope(of: call, request.headers)
                return try await answer(call, envelope, request, caller, context)
            } catch {
                throw Refusal(.init(code: error.status), error, id: call.id)
            }
        }
    }

    /// What is missing comes before what disagrees, and that before what is not supported.
    private static func envelope(of call: RPC.Request, _ headers: HTTPFields) throws(RPC.Error) -> Envelope {
        let outcome: Result<Envelope, RPC.Error>
        do throws(RPC.Error) { outcome = .success(try Envelope(of: call.params)) } catch {
            if error.code != RPC.Error.unsupportedVersionCode { throw error }
            outcome = .failure(error)
        }
        try RoutingHeaders.check(call, header: headers.values)
        return try outcome.get()
    }

    private func answer(
        _ call: RPC.Request, _ envelope: Envelope, _ request: Request, _ caller: Caller, _ context: HTTPContext
    ) async throws(RPC.Error) -> Response {
        let use: ModernSessions.Use
        do { use = try await modernSessions.use(caller.principal, caller.scope, envelope) } catch {
            throw RPC.Error.answering(error)
        }
        let session = use.session
        if call.method == "tools/call", call.params?["arguments"] != nil || request.headers.hasParameters {
            try await session.check(call, envelope, header: request.headers.values)
        }
        let exchange = ModernExchange(call, queue: configuration.limits.queue)
        let number = await session.ask(call, envelope, on: exchange)
        do {
            // A client that goes away before the first thing is said has taken its request back.
            let watch = context.ifDisconnected(after: configuration.limits.quick) { [weak outlet = exchange.outlet] in
                outlet?.close(discarding: true)
            }
            let first = await exchange.outlet.next()
            watch.cancel()
            guard let first else {
                session.leave(number)
                throw RPC.Error.internalError(session.reason.description)
            }
            if case .last(let event) = first {
                withExtendedLifetime(use) {}
                return .message(event.bytes, .init(code: exchange.status))
            }
            return try await EventStream(
                outlet: exchange.outlet, context: context, first: [EventStream.bytes(first)]
            ) { session.leave(number) }.response(holding: use)
        } catch { throw RPC.Error.answering(error) }
    }
}

extension HTTPFields {
    /// All values of a header.
    fileprivate func values(_ name: String) -> [String] {
        guard let name = HTTPField.Name(name) else { return [] }
        return self[values: name]
    }

    fileprivate var hasParameters: Bool {
        contains { $0.name.canonicalName.hasPrefix("mcp-param-") }
    }
}
