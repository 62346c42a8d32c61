import NIOCore
import Testing

@testable import MCPHTTP

@Suite(.timeLimit(.minutes(1))) struct OutletTests {
    private func item(_ text: String) -> Outlet.Item { .message(ByteBuffer(string: text)) }

    @Test func theQueueIsBoundedByBytesButTakesOneMessageOfAnySize() {
        var queue = OutletQueue(limit: 4)
        #expect(queue.hasRoom)
        queue.add(item("123456"))
        #expect(!queue.hasRoom)
        #expect(queue.take() == item("123456"))
        queue.add(item("12"))
        #expect(queue.hasRoom)
        queue.add(item("34"))
        #expect(!queue.hasRoom)
    }

    @Test func theQueueIsBoundedByCount() {
        var queue = OutletQueue(limit: 1 << 20)
        for _ in 0..<OutletQueue.maximumItems { queue.add(item("")) }
        #expect(!queue.hasRoom)
    }

    @Test func aSignOfLifeComesAfterAWholeSilentInterval() {
        var queue = OutletQueue(limit: 4)
        queue.tick()
        #expect(queue.take() == nil)
        queue.tick()
        #expect(queue.take() == .keepAlive)
        queue.add(item("a"))
        queue.tick()
        #expect(queue.take() == item("a"))
        queue.tick()
        #expect(queue.take() == nil)
        queue.tick()
        queue.tick()
        #expect(queue.take() == .keepAlive)
        #expect(queue.take() == nil, "they do not pile up")
    }

    @Test func itemsComeInOrderAndAnEndAfterThem() async {
        let outlet = Outlet(limit: 100)
        for text in ["a", "b"] { #expect(await outlet.send(item(text))) }
        outlet.close()
        #expect(await outlet.send(item("c")) == false)
        #expect(await outlet.next() == item("a"))
        #expect(await outlet.next() == item("b"))
        #expect(await outlet.next() == nil)
    }

    @Test func aFullOutletHoldsItsSender() async {
        let outlet = Outlet(limit: 1)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for number in 0..<100 { await outlet.send(item("\(number)")) } }
            for number in 0..<100 { #expect(await outlet.next() == item("\(number)")) }
        }
    }

    @Test func closingFreesWhoWaits() async {
        let outlet = Outlet(limit: 1)
        await outlet.send(item("a"))
        async let refused = outlet.send(item("b"))
        outlet.close(discarding: true)
        #expect(await refused == false)
        #expect(await outlet.next() == nil)
    }

    @Test func cancellingFreesWhoWaits() async {
        let outlet = Outlet(limit: 1)
        await outlet.send(item("a"))
        let sender = Task { await outlet.send(item("b")) }
        sender.cancel()
        #expect(await sender.value == false)
        let empty = Outlet(limit: 1)
        let reader = Task { await empty.next() }
        reader.cancel()
        #expect(await reader.value == nil)
    }

    @Test(arguments: [
        ("{}", "event: message\ndata: {}\n\n"), ("a\nb", "event: message\ndata: a\ndata: b\n\n"),
        ("", "event: message\ndata: \n\n"),
    ])
    func events(data: String, expected: String) {
        #expect(String(buffer: EventStream.bytes(item(data))) == expected)
    }
}
