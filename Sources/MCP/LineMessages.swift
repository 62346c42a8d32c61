internal import Core
package import NIOCore

/// Chunks of bytes as newline-delimited messages, empty lines passed over: the framing of MCP's stdio transport.
package struct LineMessages<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable where Base.Element == ByteBuffer {
    package typealias Element = ByteBuffer

    /// The largest message accepted: tool results may carry images.
    package static var maximumMessage: Int { 64 << 20 }

    private let base: Base

    package init(_ base: Base) { self.base = base }

    package func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), splitter: LineSplitter(maximumLength: Self.maximumMessage))
    }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: Base.AsyncIterator
        fileprivate var splitter: LineSplitter
        private var ready: ArraySlice<ByteBuffer> = []

        fileprivate init(base: Base.AsyncIterator, splitter: LineSplitter) {
            self.base = base
            self.splitter = splitter
        }

        package mutating func next() async throws -> ByteBuffer? {
            while true {
                while let line = ready.popFirst() {
                    if line.readableBytesView.contains(where: { $0 != 0x20 && $0 != 0x09 }) { return line }
                }
                // The last message may come without a newline: `printf` writes none.
                guard let chunk = try await base.next() else {
                    guard let rest = splitter.finish() else { return nil }
                    ready = [rest]
                    continue
                }
                ready = try splitter.append(chunk)[...]
            }
        }
    }
}

extension LineMessages.Iterator: Sendable where Base.AsyncIterator: Sendable {}
