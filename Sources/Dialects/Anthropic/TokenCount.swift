internal import Core
package import NIOCore

/// The two questions that tell how many tokens a prompt has: how it is laid out, and what that is in tokens.
package enum TokenCount {
    package static let templatePath = "/apply-template"
    package static let tokenPath = "/tokenize"

    /// - Throws: `.corrupted` where the engine says something else.
    package static func tokenRequest(_ template: ByteBuffer) throws -> ByteBuffer {
        guard let prompt = try? JSON(parsing: template)["prompt"], prompt.string != nil else {
            throw Failure(.corrupted, "the engine did not lay out the prompt")
        }
        // As the engine reads a prompt of its own: with the marks that begin it, and those that divide it.
        return JSON.object(JSON.Object([("content", prompt), ("add_special", true), ("parse_special", true)])).bytes
    }

    package static func count(_ tokens: ByteBuffer) throws -> Int {
        guard let list = try RawJSON(checking: tokens)["tokens"], list.isArray else {
            throw Failure(.corrupted, "the engine did not count the tokens")
        }
        return try list.elements().count
    }
}
