"""Drives an MCP server on stdio with PyPI's `mcp` client and prints what it saw as one JSON object.

usage: mcp_client.py [--mode auto|legacy ...] [--calls JSON] -- COMMAND [ARGUMENT...]
Each mode is a session of its own with a server process of its own: greet, list, call every tool, ask for one that
is not there, cancel a call, call once more, close. `exit` is the server's own exit status after its stdin closed
(null: it had to be killed). A mode that breaks has `error` instead.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time

import anyio
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

CALLS = [
    ["read_file", {"path": "readme.md"}],
    ["list_files", {"path": "/data"}],
    ["get_time", {}],
    ["add", {"a": 2, "b": 3}],
    ["echo", {"text": "hello world"}],
]
EXIT_MARK = "client saw exit "


def seen(result):
    """A tool result as plain JSON."""
    text = "".join(block.text for block in result.content if block.type == "text")
    return {"text": text, "isError": bool(result.is_error), "structured": result.structured_content}


async def attempt(call):
    """The result, or the protocol error with its code."""
    try:
        return seen(await call)
    except MCPError as error:
        return {"code": error.code, "message": error.message}


async def listed(client):
    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            return tools


async def session(mode, command, calls, errors):
    # The shell in between lives as long as the server and notes how that ended.
    script = f'"$@"; echo "{EXIT_MARK}$?" >&2'
    server = StdioServerParameters(command="/bin/sh", args=["-c", script, "sh", *command], env=dict(os.environ))
    report, begin = {}, time.monotonic()
    async with Client(stdio_client(server, errlog=errors), mode=mode, read_timeout_seconds=60) as client:
        report["connectMs"] = round((time.monotonic() - begin) * 1000, 1)
        report["protocolVersion"] = client.protocol_version
        info = client.server_info
        report["serverInfo"] = {"name": info.name, "version": info.version} if info else None
        report["capabilities"] = client.server_capabilities.model_dump(by_alias=True, exclude_none=True, mode="json")
        report["instructions"] = client.instructions
        report["tools"] = {tool.name: tool.input_schema for tool in await listed(client)}
        report["calls"] = {}
        for name, arguments in calls:
            begin = time.monotonic()
            report["calls"][name] = await attempt(client.call_tool(name, arguments))
            report["calls"][name]["ms"] = round((time.monotonic() - begin) * 1000, 1)
        report["unknownTool"] = await attempt(client.call_tool("no_such_tool", {}))
        report["badArguments"] = await attempt(client.call_tool(calls[0][0], {"nonsense": 1}))
        report["parallel"] = await in_parallel(client, calls[-1], 8)
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_soon(scope.cancel)
            await client.call_tool(*calls[-1])
        report["cancelled"] = scope.cancelled_caught
        report["afterCancel"] = await attempt(client.call_tool(*calls[-1]))
        begin = time.monotonic()
    report["closeMs"] = round((time.monotonic() - begin) * 1000, 1)
    return report


async def in_parallel(client, call, count):
    """How many of the simultaneous calls gave the same good answer as a single one."""
    answers = await asyncio.gather(*[attempt(client.call_tool(*call)) for _ in range(count)])
    good = [answer for answer in answers if answer.get("isError") is False and answer == answers[0]]
    return {"sent": count, "good": len(good)}


async def run(mode, command, calls):
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            report = await session(mode, command, calls, errors)
        except BaseException as error:  # a task group wraps what went wrong
            while getattr(error, "exceptions", None):
                error = error.exceptions[0]
            report = {"error": f"{type(error).__name__}: {error}"}
        errors.seek(0)
        lines = errors.read().splitlines()
    ends = [line for line in lines if line.startswith(EXIT_MARK)]
    report["exit"] = int(ends[-1][len(EXIT_MARK):]) if ends else None
    report["stderr"] = [line for line in lines if not line.startswith(EXIT_MARK)][-20:]
    return report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", action="append", choices=["auto", "legacy"])
    parser.add_argument("--calls", type=json.loads, default=CALLS, help='[["tool", {arguments}], ...]')
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    modes = options.mode or ["auto", "legacy"]
    report = {mode: asyncio.run(run(mode, options.command, options.calls)) for mode in modes}
    print(json.dumps(report))
    return 1 if any("error" in seen_in for seen_in in report.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
