#!/usr/bin/env python3
"""What a model runner must survive: clients that leave at any moment, engines and daemons that are killed under load.

usage: soak.py --wharf PROGRAM --model GGUF --home FOLDER [--aborts 10000] [--kills 10] [--clients 16]
LLAMA_SERVER_PATH names the engine. Fails with a sentence; else prints what was done. Every client must get an answer, an
error, or its own leave; afterwards the daemon must hold no connection, no lease and no memory more than before, and no
engine may be left over. Linux only: it reads /proc. Standard library only.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from chat_stream import children, fetch, free_port, stop, wait_for, zero_separated
from mcpbench import usage

BODY = {"model": "pebble", "messages": [{"role": "user", "content": "Tell me a long story."}], "temperature": 0, "stream": True}


def fail(text):
    sys.exit(f"soak: {text}")


class Daemon:
    def __init__(self, options):
        self.options, self.port = options, free_port()
        self.environment = {
            **os.environ, "HOME": options.home, "MODEL_RUNNER_PORT": str(self.port), "MODEL_RUNNER_CONTAINERS": "0",
            "MODEL_RUNNER_SOCK": os.path.join(options.home, "soak.sock")}
        for name in ("DOCKER_CONFIG", "MODELS_PATH", "MODEL_RUNNER_HOST"):
            self.environment.pop(name, None)
        self.log = open(os.path.join(options.home, "soak.log"), "ab")

    def start(self):
        self.process = subprocess.Popen(
            [self.options.wharf, "serve", "--port", str(self.port)], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        wait_for(self.url("/models"), self.process)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def engines(self):
        return [pid for pid in children(self.process.pid) if "--model" in zero_separated(f"/proc/{pid}/cmdline")]

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self):
        return usage(self.process.pid)[0]


def connect(daemon, body=BODY):
    connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=120)
    text = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    connection.sendall(head.encode() + text)
    return connection


def read_all(connection):
    """The whole answer; None where the connection ended before it did."""
    data = b""
    while True:
        try:
            more = connection.recv(1 << 16)
        except ConnectionError:
            more = b""
        if not more:
            return None
        data += more
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            continue
        if b"chunked" in head.lower():
            if rest.endswith(b"0\r\n\r\n"):
                return data
        else:
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
            if len(rest) >= length:
                return data


def whole(daemon):
    """One answer, to its end."""
    with connect(daemon) as connection:
        data = read_all(connection)
    if data is None:
        return "broken off"
    # Chunks end anywhere.
    if data.startswith(b"HTTP/1.1 200") and b"[DONE]" in re.sub(rb"\r\n[0-9a-f]+\r\n", b"", data):
        return "answered"
    if b'"error"' in data:
        return "error"
    fail(f"an answer is neither whole nor an error: {data[:300]!r} … {data[-300:]!r}")


def leave(daemon, generator):
    """Asks, and goes away at some moment in some way."""
    with connect(daemon) as connection:
        moment = generator.random()
        if moment < 0.25:
            pass
        elif moment < 0.5:
            time.sleep(generator.random() * 0.02)
        else:
            for _ in range(generator.randrange(1, 6)):
                if not connection.recv(2048):
                    break
        way = generator.random()
        if way < 0.4:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way < 0.6:
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(60)
            while connection.recv(1 << 16):
                pass


def wait_until(what, seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            fail(f"{what}: not after {seconds} s")
        time.sleep(0.05)


def is_idle(daemon):
    return all(not runner["in_use"] and not runner["loading"] for runner in json.loads(fetch(daemon.url("/engines/ps"))))


def aborts(daemon, options):
    if whole(daemon) != "answered":
        fail("the first answer is none")
    with concurrent.futures.ThreadPoolExecutor(options.clients) as pool:
        list(pool.map(lambda _: whole(daemon), range(options.clients)))
    wait_until("the daemon is idle before the aborts", 30, lambda: is_idle(daemon))
    time.sleep(0.5)
    files, memory = daemon.files(), daemon.memory()
    generators = [random.Random(number) for number in range(options.clients)]

    def client(number):
        for round in range(options.aborts // options.clients):
            leave(daemon, generators[number])
            # Whoever stays is answered, however many leave.
            if round % 50 == 0 and whole(daemon) != "answered":
                fail("somebody who stayed got no answer")

    with concurrent.futures.ThreadPoolExecutor(options.clients) as pool:
        for done in [pool.submit(client, number) for number in range(options.clients)]:
            done.result()
    wait_until("every lease is given back", 60, lambda: is_idle(daemon))
    wait_until("every connection is closed", 60, lambda: daemon.files() <= files + 4)
    grown = daemon.memory() - memory
    if grown > 24:
        fail(f"the daemon has grown by {grown:.1f} MiB")
    print(f"{options.aborts} clients left: descriptors {files} before, {daemon.files()} after; memory {memory:.1f} MiB, {grown:+.1f}")


def engine_kills(daemon, options):
    outcomes = {}
    for _ in range(options.kills):
        with concurrent.futures.ThreadPoolExecutor(options.clients) as pool:
            asked = [pool.submit(whole, daemon) for _ in range(options.clients)]
            time.sleep(random.random() * 0.2)
            for pid in daemon.engines():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for answer in asked:
                outcomes[answer.result()] = outcomes.get(answer.result(), 0) + 1
        if whole(daemon) != "answered":
            fail("no answer after an engine was killed")
    if "broken off" in outcomes:
        fail(f"{outcomes['broken off']} clients got neither an answer nor an error when an engine was killed")
    print(f"{options.kills} engines killed under load: {outcomes}")


def daemon_kills(daemon, options):
    for _ in range(max(options.kills // 3, 1)):
        with concurrent.futures.ThreadPoolExecutor(options.clients) as pool:
            asked = [pool.submit(whole, daemon) for _ in range(options.clients)]
            wait_until("an engine runs", 60, daemon.engines)
            time.sleep(0.1)
            engines = daemon.engines()
            daemon.process.kill()
            daemon.process.wait()
            for answer in asked:
                answer.exception()
        wait_until("the engines are gone with their daemon", 10, lambda: not any(os.path.exists(f"/proc/{pid}") for pid in engines))
        daemon.start()
        if whole(daemon) != "answered":
            fail("no answer after the daemon was killed and started again")
    print(f"{max(options.kills // 3, 1)} daemons killed under load: no engine left over, the socket and the port are free again")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wharf", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--aborts", type=int, default=10000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    os.makedirs(options.home, exist_ok=True)
    daemon = Daemon(options)
    subprocess.run(
        [options.wharf, "model", "package", "--gguf", options.model, "pebble"], check=True, env=daemon.environment,
        stdout=subprocess.DEVNULL)
    daemon.start()
    try:
        aborts(daemon, options)
        engine_kills(daemon, options)
        daemon_kills(daemon, options)
    finally:
        stop(daemon.process)
    wait_until("no engine is left over", 10, lambda: not daemon.engines())


if __name__ == "__main__":
    main()
