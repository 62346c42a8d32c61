internal import ArgumentParser
internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import Terminal

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the model runner's log", usage: "docker model logs [OPTIONS]")

    @Flag(name: .shortAndLong, help: "Go on with what is written from now on.") var follow = false
    @Flag(help: "Leave out what the inference engines write.") var noEngines = false

    func run() async throws {
        let out = CommandContext.current.console.out
        try await RunnerClient.with { client in
            let response = try await client.send(.GET, "/logs?follow=\(follow)&no-engines=\(noEngines)")
            // Whole lines, so that no character is cut in two.
            var lines = LineSplitter(maximumLength: 1 << 20, breaksLongLines: true)
            try await RunnerClient.read(response) { chunk in
                let text = try lines.append(chunk).map { String(buffer: $0).printable + "\n" }.joined()
                if !text.isEmpty { out.print(text, terminator: "") }
                try out.checkIsRead()
            }
            if let rest = lines.finish() { out.print(String(buffer: rest).printable) }
        }
    }
}
