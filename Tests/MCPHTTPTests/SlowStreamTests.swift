import Core
import MCP
import NIOCore
import Testing

@testable import MCPHTTP

/// A client that reads one of its session's streams and not another.
@Suite(.timeLimit(.minutes(1))) struct SlowStreamTests {
    private func request(_ id: Int) -> RPC.Request { RPC.Request(id: RPC.ID(id), method: "tools/call") }

    @Test func aStreamThatNobodyReadsHoldsUpNoOther() async throws {
        let session = HTTPSession(.anybody, .all)
        let (neglected, read) = (Outlet(limit: 1000), Outlet(limit: 1000))
        _ = try session.begin([request(1)], on: neglected)
        _ = try session.begin([request(2)], on: read)
        try await session.connect { _, send in
            let note = RPC.Message.notification(
                .init(
                    method: "notifications/message",
                    params: RawJSON(["data": .string(String(repeating: "x", count: 80))])))
            for _ in 0..<10_000 { try await send(note.bytes, .request(RPC.ID(1))) }
            let answer = RPC.Message.response(.init(id: RPC.ID(2), outcome: .success(RawJSON([:])))).bytes
            try await send(answer, .answer(to: RPC.ID(2)))
            guard case .last(let event)? = await read.next() else {
                Issue.record("no answer")
                return
            }
            #expect(event.bytes == answer)
            // What could be left out was; what has to come still does.
            let last = RPC.Message.response(.init(id: RPC.ID(1), outcome: .success(RawJSON([:])))).bytes
            try await send(last, .answer(to: RPC.ID(1)))
            var (notes, isAnswered) = (0, false)
            while !isAnswered, let item = await neglected.next() {
                if case .last = item { isAnswered = true } else { notes += 1 }
            }
            #expect(isAnswered && (10...100).contains(notes))
        }
    }

    /// Where there is only one stream, the server waits for whoever reads it.
    @Test func theOnlyStreamIsWaitedFor() async throws {
        let only = Outlet(limit: 1000)
        let session = HTTPSession(.anybody, .all, everythingOn: only)
        try await session.connect { _, send in
            let note = RPC.Message.notification(.init(method: "notifications/message", params: RawJSON([:]))).bytes
            async let sent: Void = {
                for _ in 0..<1000 { try await send(note, .none) }
            }()
            for _ in 0..<1000 { _ = await only.next() }
            try await sent
        }
    }
}
