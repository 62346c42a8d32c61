"""A LangChain agent between the runner's OpenAI API and an MCP server on stdio; prints what it did as one JSON object.

usage: langchain_agent.py BASE_URL MODEL [--ask PROMPT ...] -- COMMAND [ARGUMENT...]
The agent, its model and its tools are LangChain's own (`create_agent`, `langchain-openai`, `langchain-mcp-adapters`);
this file only puts them together. Each prompt is a conversation of its own; all share one MCP session.
"""

import argparse
import asyncio
import json
import os
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_openai import ChatOpenAI


def told(messages):
    """A conversation as plain JSON: what the model called, what came back, what it said last."""
    calls = [{"name": call["name"], "arguments": call["args"]} for message in messages for call in getattr(message, "tool_calls", [])]
    results = [{"text": message.text, "status": message.status} for message in messages if message.type == "tool"]
    return {"calls": calls, "results": results, "answer": messages[-1].text}


async def run(options):
    program, *arguments = options.command
    server = {"transport": "stdio", "command": program, "args": arguments, "env": dict(os.environ)}
    model = ChatOpenAI(model=options.model, base_url=options.base, api_key="unused", temperature=0, max_retries=0, timeout=120)
    report = {}
    async with MultiServerMCPClient({"gateway": server}).session("gateway") as session:
        tools = await load_mcp_tools(session)
        report["tools"] = [tool.name for tool in tools]
        agent = create_agent(model, tools)
        report["asked"] = []
        for prompt in options.ask:
            state = await agent.ainvoke({"messages": [{"role": "user", "content": prompt}]}, {"recursion_limit": 8})
            report["asked"].append({"prompt": prompt, **told(state["messages"])})
    return report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("model")
    parser.add_argument("--ask", action="append", default=[])
    parser.add_argument("command", nargs="+")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    sys.exit(main())
