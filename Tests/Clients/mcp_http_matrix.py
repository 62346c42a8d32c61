"""Drives `mcp_remote_server.py` through a gateway over HTTP and prints what it saw as one JSON object by revision.

usage: mcp_http_matrix.py KIND URL SERVER REVISION...
KIND is `streaming` or `sse`, SERVER the kind of the server; the bearer token is taken from MCP_GATEWAY_AUTH_TOKEN. What goes wrong is a text that says so.
"""

import asyncio
import contextlib
import json
import os
import sys

import httpx2
import mcp.client.session
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

HEADERS = {"Authorization": "Bearer " + os.environ["MCP_GATEWAY_AUTH_TOKEN"]}


async def elicit(context, params):
    return ElicitResult(action="accept", content={"colour": "green"})


async def sample(context, params):
    return CreateMessageResult(role="assistant", model="m", content=TextContent(type="text", text="aha"))


async def list_roots(context):
    return ListRootsResult(roots=[Root(uri="file:///project")])


@contextlib.asynccontextmanager
async def connected(kind, url, logs):
    async def log(params):
        logs.append(params.data)

    options = dict(
        mode="legacy", read_timeout_seconds=60, elicitation_callback=elicit, sampling_callback=sample,
        list_roots_callback=list_roots, logging_callback=log)
    if kind == "sse":
        async with Client(sse_client(url, headers=HEADERS), **options) as client:
            yield client
        return
    async with httpx2.AsyncClient(headers=HEADERS, timeout=httpx2.Timeout(60)) as http:
        async with Client(streamable_http_client(url, http_client=http), **options) as client:
            yield client


async def text(client, name, arguments, **more):
    result = await client.call_tool(name, arguments, **more)
    words = "".join(block.text for block in result.content if block.type == "text")
    return f"error: {words}" if result.is_error else words


async def session(kind, url, revision):
    logs, steps, report = [], [], {}

    async def progress(done, total, message):
        steps.append(done)

    async with connected(kind, url, logs) as client:
        report["revision"] = client.protocol_version
        report["tools"] = sorted(tool.name for tool in (await client.list_tools()).tools)

        async def note(name, work):
            try:
                report[name] = await asyncio.wait_for(work, 20)
            except BaseException as error:
                while getattr(error, "exceptions", None):
                    error = error.exceptions[0]
                report[name] = f"{type(error).__name__}: {error}"

        await note("add", text(client, "add", {"a": 2, "b": 3}))
        await note("count", text(client, "count", {"to": 5}, progress_callback=progress))
        report["steps"] = steps
        sums = [text(client, "add", {"a": number, "b": 1}) for number in range(16)]
        report["parallel"] = await asyncio.gather(*sums) == [str(number + 1) for number in range(16)]
        name = f"{kind} {revision}"
        hanging = asyncio.create_task(text(client, "hang", {"name": name}))
        await asyncio.sleep(0.5)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        for _ in range(50):
            if name in await text(client, "seen", {}):
                report["cancelled"] = True
                break
            await asyncio.sleep(0.1)
        await note("ask", text(client, "ask", {}))
        await note("think", text(client, "think", {}))
        await note("roots", text(client, "roots", {}))
        if sys.argv[3] == "resumable":
            await note("leave", text(client, "leave", {}))
        report["logs"] = len(logs)
    return report


async def main(kind, url, revisions):
    reports = {}
    for revision in revisions:
        mcp.client.session.LATEST_HANDSHAKE_VERSION = revision
        try:
            reports[revision] = await session(kind, url, revision)
        except BaseException as error:
            while getattr(error, "exceptions", None):
                error = error.exceptions[0]
            reports[revision] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reports))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[4:]))
