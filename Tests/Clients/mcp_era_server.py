"""An MCP server made with PyPI's `mcp` that has every feature, for the matrix of eras.

usage: mcp_era_server.py ERA stdio | ERA http PORT | legacy sse PORT
ERA is `both`, `legacy` (nothing newer than 2025-11-25 is answered) or `modern` (no handshake is); over HTTP also `silent`,
which never answers what it does not know, and has a tool `asked` that tells what it was asked, and when.
"""

import asyncio
import json
import os
import sys
import time
from typing import Annotated

import anyio
import mcp_types as types
import pydantic
from mcp.server.mcpserver import Context, Elicit, ListRoots, MCPServer, Resolve, Sample

server = MCPServer("era", instructions="Ask it anything.")
cancelled = []


class Color(pydantic.BaseModel):
    color: str


class Sum(pydantic.BaseModel):
    sum: int


def which_color() -> Elicit[Color]:
    return Elicit("Which color?", Color)


def what_model_says() -> Sample:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="Say hello"))
    return Sample([message], max_tokens=16)


def which_roots() -> ListRoots:
    return ListRoots()


@server.tool()
def add(a: int, b: int) -> Sum:
    """Adds two numbers."""
    return Sum(sum=a + b)


@server.tool()
def paint(color: Annotated[Color, Resolve(which_color)]) -> str:
    """Asks for a color."""
    return f"painted {color.color}"


@server.tool()
def think(answer: Annotated[types.CreateMessageResult, Resolve(what_model_says)]) -> str:
    """Asks the client's model."""
    return f"the model says {answer.content.text}"


@server.tool()
def look(roots: Annotated[types.ListRootsResult, Resolve(which_roots)]) -> str:
    """Asks for the client's roots."""
    return "roots " + " ".join(str(root.uri) for root in roots.roots)


@server.tool()
async def work(steps: int, context: Context) -> str:
    """Reports progress, and logs."""
    for step in range(steps):
        await context.report_progress(step + 1, steps, f"step {step + 1}")
    await context.log("debug", "too fine to be told")
    await context.log("warning", "almost done")
    return "worked"


@server.tool()
async def hang(name: str) -> str:
    """Waits for ever."""
    try:
        await anyio.sleep(600)
    except BaseException:
        cancelled.append(name)
        raise
    return "never"


@server.tool()
def ended() -> str:
    """Names the calls that were cancelled."""
    return " ".join(cancelled)


@server.tool()
async def touch(context: Context) -> str:
    """Changes a resource and the list of tools."""
    await context.notify_resource_updated("note://one")
    await context.notify_tools_changed()
    session = context.request_context.session
    await session.send_resource_updated("note://one")
    await session.send_tool_list_changed()
    return "touched"


@server.resource("note://one")
def note() -> str:
    """A note."""
    return "the note"


@server.resource("note://by/{name}")
def note_by(name: str) -> str:
    """A note of somebody."""
    return f"by {name}"


@server.prompt()
def greet(name: str) -> str:
    """Greets somebody."""
    return f"Greet {name}."


@server.completion()
async def complete(ref, argument, context):
    names = [name for name in ["anna", "bert"] if name.startswith(argument.value)]
    return types.Completion(values=names, total=len(names), has_more=False)


subscribed = set()


async def subscribe(context, params):
    subscribed.add(str(params.uri))
    return types.EmptyResult()


async def unsubscribe(context, params):
    subscribed.discard(str(params.uri))
    return types.EmptyResult()


async def set_level(context, params):
    return types.EmptyResult()


# What `MCPServer` does not register of the handshake era.
low = server._lowlevel_server
low.add_request_handler("resources/subscribe", types.SubscribeRequestParams, subscribe)
low.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, unsubscribe)
low.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)


def unsupported(identifier):
    data = {"supported": ["2026-07-28"], "requested": "2025-11-25"}
    error = {"code": -32022, "message": "Unsupported protocol version", "data": data}
    return {"jsonrpc": "2.0", "id": identifier, "error": error}


def unknown(identifier):
    return {"jsonrpc": "2.0", "id": identifier, "error": {"code": -32601, "message": "Method not found"}}


def refusal(era, message):
    """The answer of a server of one era only to a message of the other; None for what it understands."""
    method = message.get("method") if isinstance(message, dict) else None
    if era == "modern" and method == "initialize":
        return unsupported(message.get("id"))
    meta = (message.get("params") or {}).get("_meta") or {} if isinstance(message, dict) else {}
    if era == "legacy" and "io.modelcontextprotocol/protocolVersion" in meta and "id" in message:
        return unknown(message.get("id"))
    return None


async def stdio(era):
    """The SDK's own stdio server, but for messages of the other era."""
    if era == "both":
        return await server.run_stdio_async()
    read, write = os.pipe()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    saved = os.fdopen(write, "wb", buffering=0)

    async def pump():
        while line := await reader.readline():
            answer = refusal(era, json.loads(line))
            if answer is None:
                saved.write(line)
            else:
                out.write(json.dumps(answer) + "\n")
        saved.close()

    task = asyncio.create_task(pump())
    sys.stdin = os.fdopen(read, "r")
    await server.run_stdio_async()
    task.cancel()


class OneEra:
    """Refuses, over HTTP, what only the other era has."""

    def __init__(self, app, era):
        self.app, self.era = app, era

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or self.era == "both":
            return await self.app(scope, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        is_modern = headers.get("mcp-protocol-version", "").startswith("2026")
        if self.era == "legacy" and is_modern:
            return await self.refuse(send, 400, b"Bad Request: unsupported protocol version")
        if self.era == "modern" and not is_modern:
            return await self.refuse(send, 400, json.dumps(unsupported(None)).encode())
        return await self.app(scope, receive, send)

    async def refuse(self, send, status, body):
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Silent:
    """Never answers a question of the modern protocol."""

    def __init__(self, app):
        self.app, self.asked = app, []

        @server.tool()
        def asked() -> str:
            """Names what was asked before any call, with milliseconds since the first question."""
            return " ".join(f"{method}={round((when - self.asked[0][1]) * 1000)}" for method, when in self.asked)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        arrived, body, rest = time.monotonic(), b"", True
        while rest:
            message = await receive()
            body, rest = body + message.get("body", b""), message.get("more_body", False)
        method = json.loads(body).get("method")
        if method in ("server/discover", "initialize"):
            self.asked.append((method, arrived))
        if method == "server/discover":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        whole = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again():
            return next(whole, None) or await receive()

        return await self.app(scope, again, send)


def http(era, port):
    import uvicorn

    app = server.streamable_http_app()
    app = Silent(app) if era == "silent" else OneEra(app, era)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


def events(port):
    import uvicorn

    app = server.sse_app()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    if sys.argv[2] == "stdio":
        asyncio.run(stdio(sys.argv[1]))
    elif sys.argv[2] == "sse":
        events(int(sys.argv[3]))
    else:
        http(sys.argv[1], int(sys.argv[3]))
