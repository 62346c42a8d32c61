internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import SystemPackage

/// Where a runner is reached: a URL somebody named, or our own daemon's socket or port.
struct RunnerEndpoint: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// `MODEL_RUNNER_HOST` names it; it is not ours to start.
        case named
        /// A daemon on this machine, which may be started.
        case local
    }

    let kind: Kind
    /// The start of every URL, without a slash at its end.
    let base: String

    static let defaultPort = 12434

    /// - Throws: `.invalidArgument` when `MODEL_RUNNER_HOST` is no address.
    static func named(_ paths: Paths) throws -> RunnerEndpoint? {
        try paths.setting("MODEL_RUNNER_HOST").map { RunnerEndpoint(kind: .named, base: try RunnerHost.base($0)) }
    }

    static func socket(_ paths: Paths) -> RunnerEndpoint {
        RunnerEndpoint(kind: .local, base: "http+unix://\(percentEncoded(paths.modelRunnerSocket.string))")
    }

    /// - Throws: `.invalidArgument` when `MODEL_RUNNER_PORT` is no port.
    static func portNumber(_ paths: Paths) throws -> Int {
        guard let setting = paths.setting("MODEL_RUNNER_PORT") else { return defaultPort }
        guard let port = UInt16(setting) else {
            throw Failure(
                .invalidArgument, "MODEL_RUNNER_PORT is \"\(setting.prefix(40))\", which is no TCP port",
                advice: "Set it to a number up to 65535, or unset it for \(defaultPort).")
        }
        return Int(port)
    }

    /// A runner that answers now: the named one, else our own on its socket.
    ///
    /// Never the TCP port: whoever else uses this machine may listen there, and would be sent the prompts.
    ///
    /// - Returns: nil when none does; a named one is returned unasked.
    /// - Throws: `.invalidArgument` when `MODEL_RUNNER_HOST` is no address.
    static func find(_ paths: Paths, _ http: HTTPClient) async throws -> RunnerEndpoint? {
        if let named = try named(paths) { return named }
        let own = socket(paths)
        return await own.answers(http) ? own : nil
    }

    /// Whether a model runner answers there, and not some other server.
    func answers(_ http: HTTPClient) async -> Bool {
        var request = HTTPClientRequest(url: "\(base)/")
        request.headers.add(name: "host", value: "localhost")
        guard let response = try? await http.execute(request, timeout: .seconds(2)),
            let body = try? await response.body.collect(upTo: 4096)
        else { return false }
        return response.status == .ok && String(buffer: body).contains("Model Runner is running")
    }

    static func percentEncoded(_ path: String) -> String {
        path.utf8.map { byte in
            let plain =
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45
                || byte == 46 || byte == 95
            return plain
                ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
