internal import ArgumentParser
internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import SystemPackage
internal import Terminal

struct Save: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Save a model to a tar archive", usage: "docker model save [OPTIONS] MODEL",
        discussion: "Without -o the archive goes to stdout.", aliases: ["export"])

    @Option(name: .shortAndLong, help: ArgumentHelp("The archive's file.", valueName: "file")) var output: String?
    @Argument(help: "The model.") var model: String

    func run() async throws {
        guard output != nil || !CommandContext.current.console.out.isTerminal else {
            throw Failure(
                .invalidArgument, "cowardly refusing to save to a terminal", advice: "Use -o FILE, or redirect stdout.")
        }
        try await RunnerClient.with { client in
            let response: HTTPClientResponse
            do { response = try await client.send(.GET, "/models/\(model.pathEncoded)/export") } catch let failure
                as Failure where failure.code == .notFound
            { throw Failure.noSuchModel(model) }
            guard let output else { return try await Self.copy(response, to: .standardOutput, named: "stdout") }
            let target = FilePath(output)
            // Whole or not at all: half an archive must not take the place of a whole one.
            let temporary = target.removingLastComponent().appending(
                ".\(target.lastComponent?.string ?? "model").\(Files.unique()).tmp")
            do {
                let file = try Files.wrap("cannot write \(target)") {
                    try SystemPackage.FileDescriptor.open(
                        temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                        permissions: FilePermissions(rawValue: 0o644))
                }
                defer { try? file.close() }
                try await Self.copy(response, to: file, named: output)
                try Files.wrap("cannot write \(target)") { try POSIX.rename(temporary, to: target) }
            } catch {
                try? POSIX.removeFile(temporary)
                throw error
            }
        }
    }

    private static func copy(
        _ response: HTTPClientResponse, to file: SystemPackage.FileDescriptor, named name: String
    ) async throws {
        try await RunnerClient.read(response) { chunk in
            try Files.wrap("cannot write \(name)") {
                _ = try chunk.withUnsafeReadableBytes { try file.writeAll($0) }
            }
        }
    }
}

struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Load a model from a tar archive", usage: "docker model load [OPTIONS]",
        discussion: "Without -i the archive is read from stdin.")

    @Option(name: .shortAndLong, help: ArgumentHelp("The archive's file.", valueName: "file")) var input: String?

    func run() async throws {
        let console = CommandContext.current.console
        guard input != nil || !console.isInteractive else {
            throw Failure(
                .invalidArgument, "no archive: stdin is a terminal", advice: "Use -i FILE, or redirect stdin.")
        }
        let file = try input.map { name in
            try Files.wrap("cannot read \(name)") {
                try SystemPackage.FileDescriptor.open(FilePath(name), .readOnly, options: .closeOnExec)
            }
        }
        defer { try? file?.close() }
        let chunks = DescriptorChunks(file ?? .standardInput, name: input ?? "stdin")
        try await RunnerClient.with { client in
            let response = try await client.send(
                .POST, "/models/load", streaming: chunks,
                headers: [("accept", "application/json"), ("content-type", "application/x-tar")])
            let answer = try JSON(parsing: try await response.body.collect(upTo: 1 << 20))
            let tag = answer["tag"]?.string
            guard answer["type"]?.string == "success", let shown = tag ?? answer["id"]?.string else {
                throw Failure(.internalError, answer["message"]?.string ?? "the runner does not say how it went")
            }
            console.out.print("Loaded model: \(shown)".printable)
            if tag == nil { console.err.print("It has no name; `docker model tag \(shown) NAME` gives it one.") }
        }
    }
}

/// What an open file or pipe gives, a mebibyte at a time, waited for on a thread that may wait.
struct DescriptorChunks: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let descriptor: SystemPackage.FileDescriptor
    private let name: String

    init(_ descriptor: SystemPackage.FileDescriptor, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    func makeAsyncIterator() -> Iterator { Iterator(descriptor: descriptor, name: name) }

    struct Iterator: AsyncIteratorProtocol {
        let descriptor: SystemPackage.FileDescriptor
        let name: String

        mutating func next() async throws -> ByteBuffer? {
            let (descriptor, name) = (descriptor, name)
            let buffer = try await NIOThreadPool.singleton.runIfActive {
                var buffer = ByteBuffer()
                try Files.wrap("cannot read \(name)") {
                    _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 20) {
                        try descriptor.read(into: UnsafeMutableRawBufferPointer($0))
                    }
                }
                return buffer
            }
            return buffer.readableBytes > 0 ? buffer : nil
        }
    }
}
