"""An MCP server on stdio that uses every feature of the handshake era, made of PyPI's `mcp`: what `mcp_features.py` asks for."""

import warnings

import anyio
import mcp_types as types
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.runner import serve_loop
from mcp.server.stdio import stdio_server

warnings.simplefilter("ignore")
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
TOOLS = ["echo", "count", "ask", "sample", "roots", "slow", "was_cancelled", "touch", "fail", "visit", "visited", "roots_changes"]
cancelled, roots_changes = [], []


def text(value):
    return types.CallToolResult(content=[types.TextContent(type="text", text=value)])


async def list_tools(ctx, params):
    tools = [types.Tool(name=name, description=f"Does {name}.", input_schema=SCHEMA) for name in TOOLS]
    # In pages, of which the gateway has to ask for all.
    start = int(params.cursor) if params and params.cursor else 0
    after = start + 4
    return types.ListToolsResult(tools=tools[start:after], next_cursor=str(after) if after < len(tools) else None)


async def call_tool(ctx, params):
    arguments = params.arguments or {}
    session, request = ctx.session, ctx.request_id
    if params.name == "echo":
        return types.CallToolResult(
            content=[
                types.TextContent(type="text", text=arguments.get("text", "")),
                types.ResourceLink(type="resource_link", uri="memo://one", name="one"),
                types.AudioContent(type="audio", data="AAAA", mime_type="audio/wav"),
            ],
            structured_content={"text": arguments.get("text", "")})
    if params.name == "count":
        for step in range(1, 4):
            await session.report_progress(step, 3, f"step {step}")
        await session.send_log_message("debug", "quiet", related_request_id=request)
        await session.send_log_message("warning", {"loud": True}, related_request_id=request)
        return text("counted")
    if params.name == "ask":
        answer = await session.elicit_form("Which?", SCHEMA, related_request_id=request)
        return text(f"{answer.action}: {(answer.content or {}).get('text')}")
    if params.name == "sample":
        message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="hi"))
        answer = await session.create_message([message], max_tokens=9, related_request_id=request)
        return text(answer.content.text)
    if params.name == "roots":
        return text(",".join(str(root.uri) for root in (await session.list_roots()).roots))
    if params.name == "slow":
        try:
            await anyio.sleep(60)
        except BaseException:
            cancelled.append(True)
            raise
    if params.name == "was_cancelled":
        return text(str(len(cancelled)))
    if params.name == "visit":
        # Refused until a page has been visited.
        raise UrlElicitationRequiredError(
            [types.ElicitRequestURLParams(mode="url", message="Visit", url="https://example.com/x", elicitation_id="visit-1")])
    if params.name == "visited":
        await session.send_elicit_complete("visit-1")
        return text("visited")
    if params.name == "roots_changes":
        return text(str(len(roots_changes)))
    if params.name == "touch":
        await session.send_resource_updated("memo://one")
        await session.send_tool_list_changed()
        return text("touched")
    return types.CallToolResult(content=[types.TextContent(type="text", text="it failed")], is_error=True)


async def list_resources(ctx, params):
    return types.ListResourcesResult(resources=[types.Resource(uri="memo://one", name="one")])


async def list_templates(ctx, params):
    return types.ListResourceTemplatesResult(
        resource_templates=[types.ResourceTemplate(uri_template="memo://{name}", name="memo")])


async def read_resource(ctx, params):
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=params.uri, text=f"of {params.uri}")])


async def list_prompts(ctx, params):
    return types.ListPromptsResult(prompts=[types.Prompt(name="greet", description="Greets.")])


async def get_prompt(ctx, params):
    content = types.TextContent(type="text", text=f"Hello {(params.arguments or {}).get('name')}")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=content)])


async def complete(ctx, params):
    values = [word for word in ("alpha", "alto", "beta") if word.startswith(params.argument.value)]
    return types.CompleteResult(completion=types.Completion(values=values, total=len(values), has_more=False))


async def empty(ctx, params):
    return types.EmptyResult()


async def roots_changed(ctx, params):
    roots_changes.append(True)


async def main():
    server = Server(
        "features", version="1", instructions="Use the tools.", on_list_tools=list_tools, on_call_tool=call_tool,
        on_list_resources=list_resources, on_list_resource_templates=list_templates, on_read_resource=read_resource,
        on_subscribe_resource=empty, on_unsubscribe_resource=empty, on_list_prompts=list_prompts,
        on_get_prompt=get_prompt, on_completion=complete, on_set_logging_level=empty,
        on_roots_list_changed=roots_changed)
    async with stdio_server() as (reading, writing):
        options = server.create_initialization_options(NotificationOptions(tools_changed=True, resources_changed=True))
        # The handshake era alone: what both eras have is in `mcp_era_server.py`.
        async with server.lifespan(server) as state:
            await serve_loop(server, reading, writing, lifespan_state=state, init_options=options)


anyio.run(main)
