internal import AsyncHTTPClient
package import Core
internal import NIOCore
internal import NIOHTTP1

extension Engine {
    package func imageExists(_ reference: String) async throws -> Bool { try await imageID(reference) != nil }

    /// An image's own id, which changes with its content; nil where it is not on this machine.
    package func imageID(_ reference: String) async throws -> String? {
        do {
            return try await json(.GET, "/images/\(Self.escaped(reference))/json")["Id"]?.string ?? ""
        } catch let failure as Failure where failure.code == .notFound { return nil }
    }

    /// Pulls an image, anonymously.
    ///
    /// - Parameter progress: gets docker's progress objects as they come.
    /// - Throws: also for an error that docker reports in the middle of the stream.
    package func pullImage(_ reference: String, progress: @Sendable (JSON) async -> Void) async throws {
        // Without a tag docker would pull every tag there is.
        let hasTag = reference.contains("@") || (reference.split(separator: "/").last?.contains(":") ?? false)
        let name = hasTag ? reference : reference + ":latest"
        let response = try await send(
            .POST, "/images/create?fromImage=\(Self.escaped(name))", timeout: .hours(2))
        var lines = LineSplitter(maximumLength: 1 << 20)
        for try await chunk in response.body {
            for line in try lines.append(chunk) { try await Self.take(line, progress) }
        }
        if let rest = lines.finish() { try await Self.take(rest, progress) }
    }

    private static func take(_ bytes: ByteBuffer, _ progress: @Sendable (JSON) async -> Void) async throws {
        guard let message = try? JSON(parsing: bytes) else { return }
        if let error = message["error"]?.string { throw Failure(.unavailable, "Docker: \(line(error))") }
        await progress(message)
    }
}
