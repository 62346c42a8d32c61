package import Core
internal import NIOCore
package import SystemPackage

/// A program that behaves like llama-server towards a runner, and can be told to misbehave. It runs in a process of its
/// own, as the real one does.
///
/// What it does with a request is up to the request's member `fake`; how it loads, to the environment. It keeps a
/// journal of what happened to it.
package struct FakeEngine: Sendable {
    /// A folder of its own, for everything it needs; removed by whoever made it.
    package let folder: FilePath

    /// Writes the program into the folder.
    package init(in folder: FilePath) throws {
        self.folder = folder
        try Files.write(ByteBuffer(string: Self.program), to: folder.appending("llama-server"), mode: 0o755)
    }

    /// What makes `LlamaServer` find it.
    ///
    /// - Parameters:
    ///   - loadsWhen: a file whose appearance ends its loading; nil loads at once.
    ///   - dies: what it says before it dies instead of loading.
    package func environment(loadsWhen gate: FilePath? = nil, dies: String? = nil) -> [String: String] {
        var environment = [
            "PATH": POSIX.environmentVariable("PATH") ?? "/usr/bin:/bin", "HOME": folder.string,
            "LLAMA_SERVER_PATH": folder.string, "FAKE_ENGINE_JOURNAL": folder.appending("journal").string,
            "FAKE_ENGINE_FOLDER": folder.string,
        ]
        if let gate { environment["FAKE_ENGINE_GATE"] = gate.string }
        if let dies { environment["FAKE_ENGINE_DIES"] = dies }
        return environment
    }

    /// What happened so far, one object per event: `start` with its `arguments`, `request` with its `headers`,
    /// `hanging`, `gone`.
    package func journal() throws -> [JSON] {
        let path = folder.appending("journal")
        guard Files.exists(path) else { return [] }
        return try String(buffer: Files.read(path)).split(separator: "\n").map { try JSON(parsing: $0) }
    }

    package func count(_ event: String) throws -> Int {
        try journal().count { $0["event"]?.string == event }
    }

    /// Waits until an event has been seen so many times. The process is not ours, so there is nothing but looking.
    package func wait(for event: String, count: Int = 1) async throws {
        while try self.count(event) < count { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// Makes an empty file: opens a gate.
    package func open(gate name: String) throws {
        try Files.write(ByteBuffer(), to: folder.appending(name))
    }

    private static let program = #"""
        #!/usr/bin/env python3
        import json, os, socket, sys, threading, time

        arguments = sys.argv[1:]
        if "--version" in arguments:
            print("version: fake (1)", file=sys.stderr)
            sys.exit(0)
        folder = os.environ["FAKE_ENGINE_FOLDER"]

        def note(event, **more):
            line = json.dumps({"event": event, **more}) + "\n"
            with open(os.environ["FAKE_ENGINE_JOURNAL"], "a") as file:
                file.write(line)

        def opened(gate):
            while not os.path.exists(gate):
                time.sleep(0.002)

        note("start", arguments=arguments, pid=os.getpid())
        if "FAKE_ENGINE_DIES" in os.environ:
            print(os.environ["FAKE_ENGINE_DIES"], file=sys.stderr)
            sys.exit(1)
        gate = os.environ.get("FAKE_ENGINE_GATE")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(arguments[arguments.index("--host") + 1])
        listener.listen(64)

        def answer(connection, status, content_type, body, *headers):
            head = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
            connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)

        def chunk(connection, text):
            data = text.encode()
            connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))

        def infer(connection, body):
            mode = json.loads(body).get("fake", "echo")
            if mode == "echo":
                answer(connection, "200 OK", "application/json", body, "Server: fake", "Access-Control-Allow-Origin: x")
            elif mode == "answer":
                # What the request itself wants to be told, whole or as a stream of events.
                answer(connection, "200 OK", "application/json", json.dumps(json.loads(body)["answer"]).encode())
            elif mode == "events":
                events = "".join(f"data: {event}\n\n" for event in json.loads(body)["events"])
                answer(connection, "200 OK", "text/event-stream", events.encode())
            elif mode == "refuse":
                answer(connection, "400 Bad Request", "application/json", b'{"error":{"message":"refused"}}')
            elif mode in ("stream", "break"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                chunk(connection, "data: one\n\n")
                opened(os.path.join(folder, "second"))
                if mode == "break":
                    print("GGML_ASSERT(broken) failed", file=sys.stderr, flush=True)
                    os._exit(1)
                chunk(connection, "data: two\n\n")
                chunk(connection, "data: [DONE]\n\n")
                connection.sendall(b"0\r\n\r\n")
            elif mode == "hang":
                note("hanging")
                while connection.recv(4096):
                    pass
                note("gone")
                return False
            elif mode == "die":
                print("GGML_ASSERT(alive) failed", file=sys.stderr, flush=True)
                os._exit(1)
            return True

        def serve(connection):
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, data = data.split(b"\r\n\r\n", 1)
                lines = head.decode().split("\r\n")
                headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
                length = int(headers.get("content-length", 0))
                while len(data) < length:
                    data += connection.recv(65536)
                body, data = data[:length], data[length:]
                path = lines[0].split(" ")[1]
                if path == "/health":
                    loaded = gate is None or os.path.exists(gate)
                    answer(connection, "200 OK" if loaded else "503 Loading", "application/json", b"{}")
                else:
                    note("request", path=path, headers=headers)
                    if not infer(connection, body):
                        return

        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

        """#
}
