internal import Core
internal import MCP
internal import NIOCore
internal import Synchronization

/// A list as it goes to clients of one revision.
struct PageKey: Hashable {
    let kind: ListKind
    let version: Revision
}

extension Surface {
    /// Elements, and about so many bytes, on a page.
    static let pageLength = 1000
    static let pageSize = 4 << 20

    /// One page of a list as the result of its request, put together once for all who ask.
    ///
    /// - Throws: −32602 for a cursor that is none of this surface's.
    func page(_ kind: ListKind, cursor: String?, version: Revision) throws(RPC.Error) -> RawJSON {
        let key = PageKey(kind: kind, version: version)
        let all = pages.withLock { pages in
            if let found = pages[key] { return found }
            let made = makePages(kind, version)
            pages[key] = made
            return made
        }
        let number = try cursor.map { cursor throws(RPC.Error) in try place(cursor) } ?? 0
        guard all.indices.contains(number) else { throw Self.badCursor }
        return all[number]
    }

    /// Whether a cursor is one of this surface's.
    func knows(_ cursor: String) -> Bool { (try? place(cursor)) != nil }

    private static var badCursor: RPC.Error {
        .invalidParams("this cursor is not known, or the list has changed since; ask without one")
    }

    private func cursor(_ page: Int) -> String { "w\(String(generation, radix: 36)).\(page)" }

    private func place(_ cursor: String) throws(RPC.Error) -> Int {
        let prefix = "w\(String(generation, radix: 36))."
        guard cursor.hasPrefix(prefix), let page = Int(cursor.dropFirst(prefix.count)), page > 0 else {
            throw Self.badCursor
        }
        return page
    }

    private func makePages(_ kind: ListKind, _ version: Revision) -> [RawJSON] {
        var pages: [[RawJSON]] = [[]]
        var size = 0
        for entry in lists[kind] ?? [] {
            let definition = Shape.definition(entry.item.definition, kind, for: version)
            let bytes = definition.buffer.readableBytes
            if pages[pages.count - 1].count == Self.pageLength || size > 0 && size + bytes > Self.pageSize {
                pages.append([])
                size = 0
            }
            pages[pages.count - 1].append(definition.onOneLine)
            size += bytes
        }
        return pages.enumerated().map { number, items in
            var members = [(name: kind.member, value: RawJSON(array: items))]
            if number + 1 < pages.count {
                members.append(("nextCursor", RawJSON(.string(cursor(number + 1)))))
            }
            return RawJSON(object: members)
        }
    }
}
