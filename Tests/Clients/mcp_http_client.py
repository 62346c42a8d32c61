"""Drives an MCP server over HTTP with PyPI's `mcp` client and prints what it saw as one JSON object.

usage: mcp_http_client.py KIND URL [MODE ...]
KIND is `streaming` or `sse`; the bearer token is taken from MCP_GATEWAY_AUTH_TOKEN. Each mode (auto, legacy) is a
session of its own: greet, list, call, call 16 times at once, cancel, call again, close. A mode that breaks has `error`.
"""

import asyncio
import contextlib
import json
import os
import sys

import anyio
import httpx2
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

HEADERS = {"Authorization": "Bearer " + os.environ["MCP_GATEWAY_AUTH_TOKEN"]}


@contextlib.asynccontextmanager
async def connected(kind, url, mode):
    if kind == "sse":
        async with Client(sse_client(url, headers=HEADERS), mode=mode, read_timeout_seconds=60) as client:
            yield client
        return
    async with httpx2.AsyncClient(headers=HEADERS, timeout=httpx2.Timeout(60)) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, read_timeout_seconds=60) as client:
            yield client


async def text(client, name, arguments):
    result = await client.call_tool(name, arguments)
    return "".join(block.text for block in result.content if block.type == "text")


async def session(kind, url, mode):
    async with connected(kind, url, mode) as client:
        report = {"protocolVersion": client.protocol_version, "server": client.server_info.name}
        report["tools"] = [tool.name for tool in (await client.list_tools()).tools]
        report["add"] = await text(client, "add", {"a": 2, "b": 3})
        words = [f"word {number}" for number in range(16)]
        answers = await asyncio.gather(*[text(client, "echo", {"text": word}) for word in words])
        report["parallel"] = answers == words
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_soon(scope.cancel)
            await text(client, "echo", {"text": "lost"})
        report["cancelled"] = scope.cancelled_caught
        report["afterCancel"] = await text(client, "echo", {"text": "still here"})
    return report


async def main(kind, url, modes):
    reports = {}
    for mode in modes or ["auto", "legacy"]:
        try:
            reports[mode] = await session(kind, url, mode)
        except BaseException as error:  # a task group wraps what went wrong
            while getattr(error, "exceptions", None):
                error = error.exceptions[0]
            reports[mode] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reports))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
