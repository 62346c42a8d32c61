import NIOCore
import Testing

@testable import MCPHTTP

@Suite(.timeLimit(.minutes(5))) struct OutletTests {
    private func item(_ text: String, _ id: EventID? = nil) -> Outlet.Item {
        .message(StreamEvent(id: id, bytes: ByteBuffer(string: text)))
    }

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
        func tick() { queue.tick() }
        tick()
        #expect(queue.take() == nil)
        tick()
        #expect(queue.take() == .keepAlive)
        queue.add(item("a"))
        tick()
        #expect(queue.take() == item("a"))
        tick()
        #expect(queue.take() == nil)
        tick()
        tick()
        #expect(queue.take() == .keepAlive)
        #expect(queue.take() == nil, "they do not pile up")
    }

    @Test func itemsComeInOrderAndAnEndAfterThem() async {
        let outlet = Outlet(limit: 100)
        for text in ["a", "b"] { #expect(outlet.add(item(text))) }
        outlet.close()
        #expect(!outlet.add(item("c")))
        #expect(await outlet.next() == item("a"))
        #expect(await outlet.next() == item("b"))
        #expect(await outlet.next() == nil)
    }

    @Test func aFullOutletHoldsItsSender() async {
        let outlet = Outlet(limit: 1)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 0..<100 {
                    outlet.add(item("\(number)"))
                    await outlet.room()
                }
            }
            for number in 0..<100 { #expect(await outlet.next() == item("\(number)")) }
        }
    }

    @Test func closingFreesWhoWaits() async {
        let outlet = Outlet(limit: 1)
        outlet.add(item("a"))
        async let waited: Void = outlet.room()
        outlet.close(discarding: true)
        await waited
        #expect(await outlet.next() == nil)
    }

    @Test func cancellingFreesWhoWaits() async {
        let outlet = Outlet(limit: 1)
        outlet.add(item("a"))
        let sender = Task { await outlet.room() }
        sender.cancel()
        await sender.value
        let empty = Outlet(limit: 1)
        let reader = Task { await empty.next() }
        reader.cancel()
        #expect(await reader.value == nil)
    }

    @Test func eventsHaveNamesWhereTheirStreamCanBeResumed() {
        let named = EventStream.bytes(item("{}", EventID(stream: 3, number: 4)))
        #expect(String(buffer: named) == "event: message\nid: 3-4\ndata: {}\n\n")
        let opening = EventStream.opening(EventID(stream: 3, number: 0))
        #expect(String(buffer: opening) == "id: 3-0\nretry: 1000\ndata: \n\n")
    }

    @Test(arguments: [
        ("{}", "event: message\ndata: {}\n\n"), ("a\nb", "event: message\ndata: a\ndata: b\n\n"),
        ("", "event: message\ndata: \n\n"),
    ])
    func events(data: String, expected: String) {
        #expect(String(buffer: EventStream.bytes(item(data))) == expected)
    }
}
