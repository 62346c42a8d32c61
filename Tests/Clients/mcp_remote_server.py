"""An MCP server over HTTP, made with PyPI's `mcp`, that shows what reaches it.

usage: mcp_remote_server.py KIND PORT
KIND is `streaming`, `json` (Streamable HTTP without streams), `resumable` (which closes its streams in the middle) or `sse`.
Every request must carry the header `X-Key: k`.
"""

import asyncio
import sys
from collections import deque

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

server = MCPServer("far", instructions="a server elsewhere")
cancelled = []


class Answer(BaseModel):
    colour: str


@server.tool()
def add(a: int, b: int) -> int:
    return a + b


@server.tool()
async def count(ctx: Context, to: int) -> str:
    for step in range(1, to + 1):
        await ctx.report_progress(step, to, f"step {step}")
        await ctx.info(f"counted {step}")
    return f"counted to {to}"


@server.tool()
async def hang(name: str) -> str:
    try:
        await asyncio.sleep(300)
    except asyncio.CancelledError:
        cancelled.append(name)
        raise
    return "woke up"


@server.tool()
def seen() -> list[str]:
    return cancelled


@server.tool()
async def ask(ctx: Context) -> str:
    result = await ctx.elicit("which colour?", Answer)
    return f"{result.action} {result.data.colour if result.data else ''}"


@server.tool()
async def think(ctx: Context) -> str:
    message = SamplingMessage(role="user", content=TextContent(type="text", text="hm?"))
    result = await ctx.session.create_message([message], max_tokens=10, related_request_id=ctx.request_id)
    return result.content.text


@server.tool()
async def roots(ctx: Context) -> list[str]:
    return [str(root.uri) for root in (await ctx.session.list_roots()).roots]


@server.tool()
async def leave(ctx: Context) -> str:
    """Closes the stream of its own call, and answers when the client has come back."""
    await ctx.close_sse_stream()
    await asyncio.sleep(0.1)
    return "came back"


class Store(EventStore):
    """The last events of every stream."""

    def __init__(self):
        self.events = deque(maxlen=1000)

    async def store_event(self, stream_id, message):
        self.events.append((str(len(self.events)), stream_id, message))
        return self.events[-1][0]

    async def replay_events_after(self, last_event_id, send_callback):
        stream = next((stream for name, stream, _ in self.events if name == last_event_id), None)
        for name, of, message in list(self.events):
            if of == stream and int(name) > int(last_event_id) and message is not None:
                await send_callback(EventMessage(message, name))
        return stream


class Guarded:
    """Lets through only who has the key, and only the handshake era: what both have is in `mcp_era_server.py`."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and dict(scope["headers"]).get(b"x-key") != b"k":
            await PlainTextResponse("no key", 401)(scope, receive, send)
            return
        if dict(scope.get("headers", [])).get(b"mcp-protocol-version", b"").startswith(b"2026"):
            await PlainTextResponse("unsupported protocol version", 400)(scope, receive, send)
            return
        await self.app(scope, receive, send)


kind, port = sys.argv[1], int(sys.argv[2])
if kind == "sse":
    app = server.sse_app()
elif kind == "resumable":
    app = server.streamable_http_app(event_store=Store(), retry_interval=50)
else:
    app = server.streamable_http_app(json_response=kind == "json")
tls = dict(zip(("ssl_certfile", "ssl_keyfile"), sys.argv[3:5]))
uvicorn.run(Guarded(app), host="127.0.0.1", port=port, log_level="warning", **tls)
