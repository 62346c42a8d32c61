#!/usr/bin/env python3
"""tools/call through the gateway against the same container attached by hand, in one run; prints Markdown.

usage: mcp_gateway.py --wharf PROGRAM --home FOLDER [--rounds 3] [--seconds 3] [--clients 1,8,32]
Five ways to one container of the server `demo-tools`: attached through the Docker engine's API by this program, the
gateway on stdio, the gateway over HTTP, and both again as a client of 2026-07-28, which has no session. The container by
hand is made from the engine's own description of a container of the gateway's. Each round starts every way anew, times it from its start to the first answered call, then loads it;
rounds alternate (hand, stdio, HTTP, hand, ...) and medians are shown. A client is one call in flight; all clients of a
way share one session, and so one container. Linux only: it reads /proc. Standard library only.
"""

import argparse
import asyncio
import datetime
import os
import secrets
import shlex
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from attached import AttachedConn, containers_of, description
from chat_stream import cpu_model, fetch, free_port, stop, wait_for
from mcpbench import HttpConn, RpcError, StdioConn, cpu_busy, now, pct, usage

SERVER = "demo-tools"
CALL = ("tools/call", {"name": "echo", "arguments": {"text": "hello"}})
WAYS = {
    "hand": "attached by hand", "stdio": "gateway, stdio", "http": "gateway, HTTP",
    "stdio26": "stdio, 2026-07-28", "http26": "HTTP, 2026-07-28",
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}


class ModernStdioConn(StdioConn):
    """Every request carries what a handshake would have settled."""

    async def request(self, method, params):
        return await super().request(method, {**params, "_meta": META})

    async def initialize(self):
        if self.p is None:
            await self.start()
        return (await self.request("server/discover", {}))[0]


class ModernHttpConn(HttpConn):
    def _head(self, method, n):
        return super()._head(method, n)[:-2] + ("\r\n".join(self.extra) + "\r\n\r\n").encode()

    async def request(self, method, params):
        self.extra = ["MCP-Protocol-Version: 2026-07-28", f"Mcp-Method: {method}"]
        if "name" in params:
            self.extra.append(f"Mcp-Name: {params['name']}")
        return await super().request(method, {**params, "_meta": META})

    async def initialize(self):
        return (await self.request("server/discover", {}))[0]

    async def delete(self):
        self.close()


def gateway(options, *more):
    return [options.wharf, "mcp", "gateway", "run", "--servers", SERVER, *more]


class Hand:
    """The floor: no gateway."""

    pid = None

    def __init__(self, options):
        self.options = options

    async def start(self):
        self.first = AttachedConn(self.options.like)
        await self.first.initialize()

    async def clients(self, count):
        return [self.first] * count

    async def end(self):
        await self.first.delete()


class Stdio(Hand):
    connection = StdioConn

    async def start(self):
        self.first = self.connection(shlex.join(gateway(self.options)))
        await self.first.start()
        self.pid = self.first.p.pid
        await self.first.initialize()


class Http(Hand):
    connection = HttpConn

    async def start(self):
        port, token = free_port(), secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.token = token
        command = gateway(self.options, "--transport", "streaming", "--port", str(port))
        self.process = subprocess.Popen(
            command, env={**os.environ, "MCP_GATEWAY_AUTH_TOKEN": token}, stdin=subprocess.DEVNULL,
            stdout=self.options.log, stderr=self.options.log)
        self.pid = self.process.pid
        self.first = self.connection(self.url, token)
        begin = now()
        while True:
            try:
                await self.first.initialize()
                return
            except (RpcError, OSError) as error:
                self.first.close()
                if self.process.poll() is not None or now() - begin > 60:
                    raise RpcError(f"the gateway over HTTP does not answer: {error}")
                await asyncio.sleep(0.005)

    async def clients(self, count):
        others = [self.connection(self.url, self.token, self.first.session) for _ in range(count - 1)]
        return [self.first, *others]

    async def end(self):
        await self.first.delete()
        stop(self.process)


class ModernStdio(Stdio):
    connection = ModernStdioConn


class ModernHttp(Http):
    connection = ModernHttpConn


KINDS = {"hand": Hand, "stdio": Stdio, "http": Http, "stdio26": ModernStdio, "http26": ModernHttp}


async def call(client):
    begin = now()
    result, end = await client.request(*CALL)
    if result.get("isError"):
        raise RpcError(f"the tool failed: {result}")
    return end - begin


async def load(clients, seconds, pid):
    """One level: each client keeps one call in flight."""
    await asyncio.gather(*[call(client) for client in clients])
    took, end = [], now() + seconds
    begin, before = now(), usage(pid) if pid else None

    async def worker(client):
        while now() < end:
            took.append(await call(client))

    await asyncio.gather(*[worker(client) for client in clients])
    row = {"per_s": len(took) / (now() - begin), "p50": pct(took, 0.5) * 1e3, "p99": pct(took, 0.99) * 1e3}
    if pid:
        row["cpu"] = (usage(pid)[2] - before[2]) * 1e6 / len(took)
    return row


async def one_round(name, options, rows):
    """Starts a way, waits for its first answer, loads it at every level, ends it."""
    rows.setdefault(("busy", name), []).append(await busy_now())
    way = KINDS[name](options)
    begin = now()
    try:
        await way.start()
        await way.first.request("tools/list", {})
        await call(way.first)
        rows.setdefault(("start", name), []).append((now() - begin) * 1e3)
        if way.pid:
            await asyncio.sleep(0.5)
            rows.setdefault(("idle", name), []).append(usage(way.pid)[0])
        for count in options.clients:
            clients = await way.clients(count)
            row = await load(clients, options.seconds, way.pid)
            rows.setdefault((count, name), []).append(row)
            print(f"  {name:7} {count:2} clients: {row['per_s']:.0f} calls/s, p50 {row['p50']:.3f} ms", file=sys.stderr, flush=True)
            for client in clients[1:]:
                if client is not way.first:
                    client.close()
    finally:
        await way.end()


async def busy_now():
    """Cores that others keep busy while we wait."""
    begin, before = now(), cpu_busy()
    await asyncio.sleep(0.5)
    return (cpu_busy() - before) / os.sysconf("SC_CLK_TCK") / (now() - begin)


async def like_the_gateways(options):
    """The description of a container that the gateway makes."""
    before = containers_of(SERVER)
    session = StdioConn(shlex.join(gateway(options)))
    await session.initialize()
    # Lists may come from an earlier run; a call needs the container.
    await session.request(*CALL)
    new = containers_of(SERVER) - before
    if len(new) != 1:
        raise RpcError(f"the gateway should have one container, not {len(new)}; does another gateway start one?")
    found = description(new.pop())
    await session.delete()
    return found


def idle_daemon(options):
    """MiB of memory that a daemon without a model holds."""
    port = free_port()
    daemon = subprocess.Popen(
        [options.wharf, "serve", "--port", str(port)], env={**os.environ, "MODEL_RUNNER_PORT": str(port)},
        stdin=subprocess.DEVNULL, stdout=options.log, stderr=options.log)
    try:
        wait_for(f"http://127.0.0.1:{port}/models", daemon)
        fetch(f"http://127.0.0.1:{port}/models")
        time.sleep(1)
        return usage(daemon.pid)[0]
    finally:
        stop(daemon)


def table(options, rows, daemon):
    names = [name for name in WAYS if ("start", name) in rows]
    busy = max(max(values) for (kind, _), values in rows.items() if kind == "busy")
    lines = [
        f"Measured {datetime.date.today()} on {cpu_model()}, {os.cpu_count()} cores; {options.build}. "
        f"`tools/call` of `echo` in the container of `{SERVER}`; {options.rounds} alternating rounds of "
        f"{options.seconds:g} s a level, medians. A client is one call in flight; the clients of a column share one "
        f"session and one container. Load generator, gateway, Docker and container share the cores; other work kept up "
        f"to {busy:.1f} cores busy before a round.",
        "",
        "| clients | what | " + " | ".join(WAYS[name] for name in names) + " |",
        "|---:|---|" + "---:|" * len(names),
    ]

    def line(first, what, cell):
        lines.append(f"| {first} | {what} | " + " | ".join(cell(name) for name in names) + " |")

    kinds = [("calls per second", "per_s", 0), ("p50 ms", "p50", 2), ("p99 ms", "p99", 2), ("the gateway's own CPU, µs a call", "cpu", 0)]
    for count in options.clients:
        for what, key, digits in kinds:
            values = {name: [row[key] for row in rows[count, name] if key in row] for name in names}
            line(count, what, lambda name: f"{statistics.median(values[name]):.{digits}f}" if values[name] else "")
    line("", "start to first answered call, ms", lambda name: f"{statistics.median(rows['start', name]):.0f}")
    idle = {name: rows.get(("idle", name)) for name in names}
    line("", "the gateway's idle memory, MiB", lambda name: f"{statistics.median(idle[name]):.1f}" if idle[name] else "")
    lines += ["", f"The model runner's daemon, idle and without a model: {daemon:.1f} MiB."]
    return "\n".join(lines)


async def measure(options):
    options.like = await like_the_gateways(options)
    said = subprocess.run([options.wharf, "mcp", "gateway", "run", "--help"], capture_output=True, text=True).stdout
    names = [name for name in WAYS if "http" not in name or "streaming" in said]
    rows = {}
    for _ in range(options.rounds):
        for name in names:
            await one_round(name, options, rows)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wharf", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--clients", type=lambda text: [int(word) for word in text.split(",")], default=[1, 8, 32])
    parser.add_argument("--build", default="unknown build")
    options = parser.parse_args()
    for name in ("DOCKER_CONFIG", "MODELS_PATH", "MODEL_RUNNER_HOST", "MODEL_RUNNER_SOCK", "MCP_GATEWAY_AUTH_TOKEN"):
        os.environ.pop(name, None)
    os.environ["HOME"] = options.home
    with open(os.path.join(options.home, "bench.log"), "ab") as options.log:
        rows = asyncio.run(measure(options))
        print(table(options, rows, idle_daemon(options)))


if __name__ == "__main__":
    main()
