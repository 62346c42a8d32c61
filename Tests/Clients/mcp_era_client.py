"""Uses every feature of an MCP server like `mcp_era_server.py` with PyPI's `mcp`, and prints what it saw as JSON.

usage: mcp_era_client.py MODE,… http URL | MODE,… stdio COMMAND...
MODE is `auto`, `legacy` or a modern revision; several are used at once, each by a client of its own. The bearer token is
taken from MCP_GATEWAY_AUTH_TOKEN. Each feature is a member of the mode's object: what it gave, or "failed: …".
"""

import asyncio
import contextlib
import json
import os
import sys

import anyio
import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.subscriptions import ResourceUpdated

PATIENCE = 20


class Seen:
    def __init__(self):
        self.logs, self.updates, self.changes = [], asyncio.Event(), asyncio.Event()

    async def log(self, params):
        self.logs.append(f"{params.level} {params.data}")

    async def message(self, message):
        method = getattr(message, "method", "")
        if method == "notifications/resources/updated":
            self.updates.set()
        if method == "notifications/tools/list_changed":
            self.changes.set()


async def elicit(context, params):
    return types.ElicitResult(action="accept", content={"color": "blue"})


async def sample(context, params):
    asked = params.messages[0].content
    text = (asked[0] if isinstance(asked, list) else asked).text
    content = types.TextContent(type="text", text=f"{text}!")
    return types.CreateMessageResult(role="assistant", content=content, model="m", stop_reason="endTurn")


async def roots(context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///work")])


@contextlib.asynccontextmanager
async def transport(kind, words):
    if kind == "stdio":
        yield stdio_client(StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ)))
        return
    headers = {}
    if token := os.environ.get("MCP_GATEWAY_AUTH_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60)) as http:
        yield streamable_http_client(words[0], http_client=http)


def text(result):
    return "".join(block.text for block in result.content if block.type == "text")


async def subscribe(client, seen, is_modern):
    """Waits for word of a resource that `touch` changes."""
    if is_modern:
        async with client.listen(resource_subscriptions=["note://one"]) as events:
            honored = list(events.honored.resource_subscriptions or [])
            if honored != ["note://one"]:
                return f"not honoured: {events.honored}"
            await client.call_tool("touch", {})
            async for event in events:
                if isinstance(event, ResourceUpdated):
                    return str(event.uri)
        return "closed"
    await client.subscribe_resource("note://one")
    await client.call_tool("touch", {})
    await asyncio.wait_for(seen.updates.wait(), PATIENCE)
    await client.unsubscribe_resource("note://one")
    return "note://one"


async def use(client, seen, mode):
    is_modern = client.protocol_version.startswith("2026")
    report = {"version": client.protocol_version, "server": getattr(client.server_info, "name", None)}

    async def feature(name, body):
        try:
            report[name] = await asyncio.wait_for(body(), PATIENCE)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            report[name] = f"failed: {error!r}"[:300]

    async def lists():
        tools = [tool.name for tool in (await client.list_tools()).tools]
        prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
        resources = [str(resource.uri) for resource in (await client.list_resources()).resources]
        templates = (await client.list_resource_templates()).resource_templates
        return [sorted(tools), prompts, resources, [template.uri_template for template in templates]]

    async def call():
        return (await client.call_tool("add", {"a": 2, "b": 3})).structured_content

    async def read():
        return (await client.read_resource("note://one")).contents[0].text

    async def prompt():
        return (await client.get_prompt("greet", {"name": "Ann"})).messages[0].content.text

    async def complete():
        reference = types.PromptReference(type="ref/prompt", name="greet")
        return (await client.complete(reference, {"name": "name", "value": "a"})).completion.values

    async def progress():
        steps = []

        async def note(progress, total, message):
            steps.append(message)

        if not is_modern:
            await client.set_logging_level("info")
        result = text(await client.call_tool("work", {"steps": 3}, progress_callback=note))
        return [result, steps]

    async def logs():
        for _ in range(100):
            if seen.logs:
                break
            await asyncio.sleep(0.05)
        return seen.logs

    async def ask(tool):
        return text(await client.call_tool(tool, {}))

    async def cancel():
        with anyio.move_on_after(1.5):
            await client.call_tool("hang", {"name": mode})
        for _ in range(100):
            ended = text(await client.call_tool("ended", {}))
            if mode in ended.split():
                return True
            await asyncio.sleep(0.1)
        return ended

    await feature("lists", lists)
    await feature("call", call)
    await feature("read", read)
    await feature("prompt", prompt)
    await feature("complete", complete)
    await feature("progress", progress)
    await feature("logs", logs)
    await feature("elicit", lambda: ask("paint"))
    await feature("sample", lambda: ask("think"))
    await feature("roots", lambda: ask("look"))
    await feature("subscribe", lambda: subscribe(client, seen, is_modern))
    await feature("cancel", cancel)
    return report


async def session(mode, kind, words):
    seen = Seen()
    try:
        async with transport(kind, words) as way:
            client = Client(
                way, mode=mode, read_timeout_seconds=60, client_info=types.Implementation(name=mode, version="1"),
                sampling_callback=sample, list_roots_callback=roots, logging_callback=seen.log, log_level="info",
                message_handler=seen.message, elicitation_callback=elicit)
            async with client:
                return await use(client, seen, mode)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return {"error": repr(error)[:1000]}


async def main(modes, kind, words):
    reports = await asyncio.gather(*[session(mode, kind, words) for mode in modes])
    print(json.dumps(dict(zip(modes, reports))))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1].split(","), sys.argv[2], sys.argv[3:]))
