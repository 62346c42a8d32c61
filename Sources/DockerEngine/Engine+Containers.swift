package import Core
internal import NIOCore
internal import NIOHTTP1

extension Engine {
    /// - Returns: the container's id.
    /// - Throws: `.notFound` when the image is not on the engine's machine.
    package func createContainer(_ spec: ContainerSpec, name: String) async throws -> String {
        let answer = try await json(.POST, "/containers/create?name=\(Self.escaped(name))", body: spec.json)
        guard let id = answer["Id"]?.string, id.utf8.count >= 12, id.allSatisfy(\.isHexDigit) else {
            throw Failure(.corrupted, "the Docker Engine made a container without telling its id")
        }
        return id
    }

    package func startContainer(_ id: String) async throws {
        try await json(.POST, "/containers/\(Self.escaped(id))/start")
    }

    /// Removes a container, and returns when it is gone; one that is gone or just going is fine.
    ///
    /// - Parameter force: also where it runs.
    /// - Throws: `.conflict` when it runs and `force` is false.
    package func removeContainer(_ id: String, force: Bool) async throws {
        do {
            try await json(.DELETE, "/containers/\(Self.escaped(id))?force=\(force)&v=true")
        } catch let failure as Failure where failure.code == .notFound {
            return
        } catch let failure as Failure
            where failure.code == .conflict && failure.message.contains("already in progress")
        {
            // `AutoRemove` is at it. Until it has finished the container would still be listed.
            do {
                try await json(
                    .POST, "/containers/\(Self.escaped(id))/wait?condition=removed", timeout: .seconds(10))
            } catch let failure as Failure where failure.code == .notFound {}
        }
    }

    package func inspectContainer(_ id: String) async throws -> JSON {
        try await json(.GET, "/containers/\(Self.escaped(id))/json")
    }

    /// Containers that carry all these labels, with what `docker ps` tells of them.
    package func listContainers(labels: [String: String], all: Bool) async throws -> [JSON] {
        let filters: JSON = [
            "label": .array(labels.sorted { $0.key < $1.key }.map { .string("\($0.key)=\($0.value)") })
        ]
        return try await json(.GET, "/containers/json?all=\(all)&filters=\(Self.escaped(filters.text))").array ?? []
    }
}
