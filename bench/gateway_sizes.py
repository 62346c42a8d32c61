#!/usr/bin/env python3
"""A gateway with much in front of it and behind it; prints Markdown.

usage: gateway_sizes.py --wharf PROGRAM --home FOLDER [--build TEXT]
Two things, with the gateway's memory after each: `tools/list` of a server with 1,000 tools, all pages, from what the
gateway knows; and 50 servers, each in its container, that 200 clients' sessions over HTTP share, of which each has
listed the tools and called one. Linux only: it reads /proc. Standard library only.
"""

import argparse
import asyncio
import http.server
import json
import os
import secrets
import shlex
import statistics
import subprocess
import threading
import time

from chat_stream import cpu_model, free_port, stop
from mcp_gateway import CALL
from mcpbench import HttpConn, RpcError, StdioConn, now, usage

TOOLS, SERVERS, SESSIONS = 1000, 50, 200
SCHEMA = {"type": "object", "properties": {"text": {"type": "string", "description": "What to say."}}, "required": ["text"]}


class Many(http.server.BaseHTTPRequestHandler):
    """An MCP server of many tools over Streamable HTTP that does nothing else."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if message.get("method") == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "many", "version": "1"}}
        else:
            tools = [{"name": f"tool_{number}", "description": f"Does number {number}.", "inputSchema": SCHEMA} for number in range(TOOLS)]
            result = {"tools": tools}
        body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()
        self.send_response(200 if "id" in message else 202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if "id" in message else 0))
        self.end_headers()
        if "id" in message:
            self.wfile.write(body)

    def do_GET(self):
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_DELETE = do_GET

    def log_message(self, *words):
        pass


def catalog(options, name, text):
    path = os.path.join(options.home, name)
    with open(path, "w") as file:
        file.write(text)
    return path


async def list_all(session):
    """All pages; how many tools, and the seconds it took."""
    begin, count, params = now(), 0, {}
    while True:
        page, end = await session.request("tools/list", params)
        count += len(page["tools"])
        if "nextCursor" not in page:
            return count, end - begin
        params = {"cursor": page["nextCursor"]}


async def many_tools(options):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Many)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = catalog(options, "many.yaml", f"registry: {{many: {{remote: {{url: 'http://127.0.0.1:{server.server_port}/mcp'}}}}}}\n")
    command = [options.wharf, "mcp", "gateway", "run", "--catalog", path, "--servers", "many", "--allow-private-network", "many"]
    session = StdioConn(shlex.join(command))
    try:
        await session.initialize()
        begin = now()
        while (await list_all(session))[0] < TOOLS:
            if now() - begin > 30:
                raise RpcError("the gateway does not list all tools")
            await asyncio.sleep(0.1)
        times = [(await list_all(session))[1] * 1e3 for _ in range(300)]
        return statistics.median(times), statistics.quantiles(times, n=100)[98], usage(session.p.pid)[0]
    finally:
        await session.delete()
        server.shutdown()


async def many_sessions(options):
    entries = "".join(f"  s{number:02}: {{image: 'wharf/demo-tools:latest', stateless: true}}\n" for number in range(SERVERS))
    path = catalog(options, "fifty.yaml", "registry:\n" + entries)
    port, token = free_port(), secrets.token_hex(16)
    command = [options.wharf, "mcp", "gateway", "run", "--catalog", path, "--enable-all-servers", "--eager", "--transport",
               "streaming", "--port", str(port)]
    process = subprocess.Popen(
        command, env={**os.environ, "MCP_GATEWAY_AUTH_TOKEN": token}, stdin=subprocess.DEVNULL, stdout=options.log, stderr=options.log)
    try:
        sessions, begin = [], now()
        while len(sessions) < SESSIONS:
            session = HttpConn(f"http://127.0.0.1:{port}/mcp", token)
            try:
                await session.initialize()
                sessions.append(session)
            except (RpcError, OSError):
                if process.poll() is not None or now() - begin > 60:
                    raise
                await asyncio.sleep(0.05)
        idle = None
        tools = []
        while len(tools) < 5 * SERVERS:
            if now() - begin > 120:
                raise RpcError(f"only {len(tools)} tools are there")
            await asyncio.sleep(0.5)
            page, _ = await sessions[0].request("tools/list", {})
            tools = [tool["name"] for tool in page["tools"]]
        idle = usage(process.pid)[0]
        echoes = [name for name in tools if name.endswith("echo")]
        for number, session in enumerate(sessions):
            await session.request("tools/list", {})
            await session.request("tools/call", {**CALL[1], "name": echoes[number % len(echoes)]})
        time.sleep(2)
        return idle, usage(process.pid)[0]
    finally:
        stop(process)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wharf", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--build", default="unknown build")
    options = parser.parse_args()
    for name in ("DOCKER_CONFIG", "MODELS_PATH", "MODEL_RUNNER_HOST", "MODEL_RUNNER_SOCK", "MCP_GATEWAY_AUTH_TOKEN"):
        os.environ.pop(name, None)
    os.environ["HOME"] = options.home
    with open(os.path.join(options.home, "bench.log"), "ab") as options.log:
        middle, late, memory = asyncio.run(many_tools(options))
        first, last = asyncio.run(many_sessions(options))
    print(f"""Measured {time.strftime('%Y-%m-%d')} on {cpu_model()}, {os.cpu_count()} cores; {options.build}.

| what | |
|---|---:|
| `tools/list` of {TOOLS:,} tools from what is known, all pages, p50 ms | {middle:.2f} |
| the same, p99 ms | {late:.2f} |
| the gateway's memory then, MiB | {memory:.1f} |
| its memory with {SERVERS} servers in containers and {SESSIONS} sessions that have shaken hands, MiB | {first:.1f} |
| the same after each session's list and call, MiB | {last:.1f} |""")


if __name__ == "__main__":
    main()
