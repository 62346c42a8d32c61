package import Core
internal import NIOCore

/// Says within the gateway which request a message of a server belongs to, where its transport or its protocol tells. It
/// never leaves the gateway, and counts only where the gateway itself has put it.
package enum CallTag {
    private static let key = "wharf/call"

    /// - Parameter request: nil takes off what the server may have put there itself.
    package static func write(_ request: RPC.ID?, into params: RawJSON?) -> RawJSON? {
        let meta = params?["_meta"].flatMap { $0.isObject ? $0 : nil }
        guard let request else {
            guard let params, let meta, meta[key] != nil else { return params }
            let rest = meta.removing([key])
            return rest.members().isEmpty ? params.removing(["_meta"]) : params.replacing("_meta", with: rest)
        }
        let tagged = (meta ?? RawJSON([:])).replacing(key, with: RawJSON(.string(request.text)))
        return (params ?? RawJSON([:])).replacing("_meta", with: tagged)
    }

    package static func read(_ params: RawJSON?) -> RPC.ID? {
        params?["_meta"]?[key]?.string.flatMap { text in
            (try? RawJSON(checking: .init(string: text))).flatMap(RPC.ID.init)
        }
    }
}
