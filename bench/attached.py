"""A container attached by hand: MCP on its stdin and stdout with nothing in between but the Docker engine.

The engine is DOCKER_HOST's (unix:// or tcp://), else the usual socket. Standard library only.
"""

import asyncio
import http.client
import json
import os
import socket
import urllib.parse

from mcpbench import CLIENT, IDS, RpcError, now

ENDPOINT = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


class Connection(http.client.HTTPConnection):
    def __init__(self):
        self.kind, _, self.address = ENDPOINT.partition("://")
        super().__init__("docker" if self.kind == "unix" else self.address, timeout=30)

    def connect(self):
        if self.kind != "unix":
            return super().connect()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.address)


def ask(method, path, body=None):
    """An answer of the engine's, or None where there is nothing of that name."""
    connection = Connection()
    try:
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status == 404:
        return None
    if answer.status >= 300:
        raise RpcError(f"{method} {path}: {answer.status} {content[:200]!r}")
    return json.loads(content) if content.strip() else {}


def containers_of(server):
    filters = urllib.parse.quote(json.dumps({"label": ["docker-mcp=true", f"docker-mcp-name={server}"]}))
    return {container["Id"] for container in ask("GET", f"/containers/json?all=1&filters={filters}")}


def description(container):
    """What a new container like this one has to be created from; without labels, it is nobody's but ours."""
    seen = ask("GET", f"/containers/{container}/json")
    config = {name: value for name, value in seen["Config"].items() if name not in ("Hostname", "Labels")}
    return {**config, "HostConfig": seen["HostConfig"]}


class AttachedConn:
    """One MCP session with a new container; any number of requests in flight."""

    def __init__(self, like, timeout=30.0):
        self.like, self.timeout, self.wait, self.id = like, timeout, {}, None

    async def start(self):
        self.id = ask("POST", "/containers/create", self.like)["Id"]
        kind, _, address = ENDPOINT.partition("://")
        if kind == "unix":
            self.r, self.w = await asyncio.open_unix_connection(address, limit=1 << 24)
        else:
            host, _, port = address.partition(":")
            self.r, self.w = await asyncio.open_connection(host, int(port), limit=1 << 24)
        path = f"/containers/{self.id}/attach?stream=1&stdin=1&stdout=1&stderr=1"
        head = f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        self.w.write(head.encode())
        answer = await self.r.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise RpcError(f"attach: {answer[:200]!r}")
        self.task = asyncio.ensure_future(self._reader())
        ask("POST", f"/containers/{self.id}/start")

    async def _reader(self):
        rest = b""
        try:
            while True:
                head = await self.r.readexactly(8)
                data = await self.r.readexactly(int.from_bytes(head[4:], "big"))
                if head[0] != 1:
                    continue
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    moment, message = now(), json.loads(line)
                    future = self.wait.pop(message.get("id"), None)
                    if future and not future.done():
                        future.set_result((message, moment))
        except (asyncio.IncompleteReadError, ConnectionError):
            for future in self.wait.values():
                if not future.done():
                    future.set_exception(RpcError("the container closed its stdout"))

    def _write(self, message):
        self.w.write(json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n")

    async def request(self, method, params):
        identifier = next(IDS)
        future = self.wait[identifier] = asyncio.get_running_loop().create_future()
        self._write({"id": identifier, "method": method, "params": params})
        message, moment = await asyncio.wait_for(future, self.timeout)
        if "error" in message:
            raise RpcError(json.dumps(message["error"])[:300])
        return message["result"], moment

    async def initialize(self):
        await self.start()
        result, _ = await self.request("initialize", CLIENT)
        self._write({"method": "notifications/initialized"})
        return result

    async def delete(self):
        """Ends the session and removes the container, which would go by itself were its stdin closed alone."""
        if self.id is None:
            return
        if getattr(self, "w", None):
            self.w.close()
        try:
            ask("DELETE", f"/containers/{self.id}?force=1")
        except RpcError as error:
            if " 409 " not in str(error):  # its removal is under way
                raise
