"""Uses every feature of the handshake era through a gateway on stdio, as PyPI's `mcp` client pinned to one revision, and
prints what it saw as one JSON object.

usage: mcp_features.py --revision 2025-06-18 -- COMMAND [ARGUMENT...]      the server behind it is `features_server.py`
"""

import argparse
import asyncio
import json
import os
import sys
import warnings

import anyio
import mcp.client.session as client_session
import mcp_types as types
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

warnings.simplefilter("ignore")


class Person:
    """What the client's user and model say, and what is told to them."""

    def __init__(self):
        self.logs, self.updated, self.changed, self.progress, self.completed = [], [], [], [], []

    async def sample(self, context, params):
        content = types.TextContent(type="text", text="sampled")
        return types.CreateMessageResult(role="assistant", content=content, model="none")

    async def elicit(self, context, params):
        return types.ElicitResult(action="accept", content={"text": "this one"})

    async def roots(self, context):
        return types.ListRootsResult(roots=[types.Root(uri="file:///work")])

    async def log(self, params):
        self.logs.append([params.level, params.data])

    async def message(self, message):
        kind = type(message).__name__
        if kind == "ResourceUpdatedNotification":
            self.updated.append(str(message.params.uri))
        if kind == "ElicitCompleteNotification":
            self.completed.append(message.params.elicitation_id)
        if kind == "ToolListChangedNotification":
            self.changed.append(kind)

    async def progressed(self, progress, total, message):
        self.progress.append([progress, total, message])


def said(result):
    return "".join(block.text for block in result.content if block.type == "text")


async def attempt(call):
    try:
        return said(await call)
    except MCPError as error:
        return {"code": error.error.code}


async def use(session, person, seen):
    result = await session.initialize()
    seen["revision"] = result.protocol_version
    seen["capabilities"] = sorted(result.capabilities.model_dump(by_alias=True, exclude_none=True))
    seen["tools"] = [tool.name for tool in (await session.list_tools()).tools]
    seen["prompts"] = [prompt.name for prompt in (await session.list_prompts()).prompts]
    seen["resources"] = [str(resource.uri) for resource in (await session.list_resources()).resources]
    seen["templates"] = [one.uri_template for one in (await session.list_resource_templates()).resource_templates]
    echo = await session.call_tool("echo", {"text": "héllo"})
    seen["echo"] = [block.type for block in echo.content]
    seen["structured"] = echo.structured_content
    seen["text"] = echo.content[0].text
    await session.set_logging_level("warning")
    seen["count"] = said(await session.call_tool("count", {}, progress_callback=person.progressed))
    seen["ask"] = await attempt(session.call_tool("ask", {}))
    seen["sample"] = await attempt(session.call_tool("sample", {}))
    seen["roots"] = await attempt(session.call_tool("roots", {}))
    seen["failed"] = (await session.call_tool("fail", {})).is_error
    seen["unknown"] = await attempt(session.call_tool("none", {}))
    seen["read"] = [one.text for one in (await session.read_resource("memo://two")).contents]
    prompt = await session.get_prompt("greet", {"name": "you"})
    seen["prompt"] = prompt.messages[0].content.text
    for ref in (types.PromptReference(type="ref/prompt", name="greet"),
                types.ResourceTemplateReference(type="ref/resource", uri="memo://{name}")):
        values = (await session.complete(ref, {"name": "name", "value": "al"})).completion.values
        seen.setdefault("completed", []).append(values)
    with anyio.move_on_after(0.5):
        await session.call_tool("slow", {})
    for _ in range(100):
        seen["cancelled"] = said(await session.call_tool("was_cancelled", {}))
        if seen["cancelled"] != "0":
            break
        await asyncio.sleep(0.05)
    await session.subscribe_resource("memo://one")
    seen["touch"] = said(await session.call_tool("touch", {}))
    for _ in range(100):
        if person.updated:
            break
        await asyncio.sleep(0.05)
    await session.unsubscribe_resource("memo://one")
    await session.send_roots_list_changed()
    seen["roots_changes"] = said(await session.call_tool("roots_changes", {}))
    seen["visit"] = None
    if seen["revision"] >= "2025-11-25":
        try:
            await session.call_tool("visit", {})
        except MCPError as error:
            seen["visit"] = [error.error.code, [one["url"] for one in error.error.data["elicitations"]]]
        await session.call_tool("visited", {})
        for _ in range(100):
            if person.completed:
                break
            await asyncio.sleep(0.05)


async def run(options):
    client_session.LATEST_HANDSHAKE_VERSION = options.revision
    person, seen = Person(), {}
    server = StdioServerParameters(command=options.command[0], args=options.command[1:], env=dict(os.environ))
    async with stdio_client(server) as (reading, writing):
        async with ClientSession(
            reading, writing, read_timeout_seconds=60, sampling_callback=person.sample,
            elicitation_callback=person.elicit, list_roots_callback=person.roots, logging_callback=person.log,
            message_handler=person.message,
        ) as session:
            await use(session, person, seen)
    seen.update(logs=person.logs, updated=person.updated, progress=person.progress, completions=person.completed)
    return seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--revision", required=True)
    parser.add_argument("command", nargs="+")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    sys.exit(main())
