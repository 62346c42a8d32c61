"""Drives the runner's Anthropic API with PyPI's `anthropic` client and prints what it saw as one JSON object.

usage: anthropic_client.py BASE_URL MODEL
"""

import sys

import anthropic
from report import PIXEL, Report, golden, spread

base, model = sys.argv[1:3]
client = anthropic.Anthropic(base_url=base, api_key="unused", max_retries=0, timeout=120)
cases, report = golden(), Report()
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def ask(text, **options):
    return client.messages.create(
        model=model, max_tokens=400, messages=[{"role": "user", "content": text}], extra_body={"temperature": 0}, **options)


def plain():
    case = cases["plain"][0]
    answer = ask(case["user"])
    text = answer.content[0].text
    report.expect(f"chat: {text!r}", text == case["answer"] and answer.stop_reason == "end_turn")
    report.expect(f"usage: {answer.usage}", answer.usage.output_tokens > 3 and answer.usage.input_tokens > 0)
    return {"text": text, "id": answer.id, "usage": answer.usage.model_dump(exclude_none=True)}


def streamed():
    case = next(case for case in cases["plain"] if case["user"] == "Tell me a long story.")
    events, text = [], ""
    with client.messages.stream(
            model=model, max_tokens=600, messages=[{"role": "user", "content": case["user"]}], extra_body={"temperature": 0}) as stream:
        for event in stream:
            events.append(event.type)
            if event.type == "content_block_delta":
                text += event.delta.text
        final = stream.get_final_message()
    report.expect(f"stream: {text[:80]!r}", text == case["answer"] and final.content[0].text == text)
    report.expect(f"events: {events[:4]}", events[0] == "message_start" and events[-1] == "message_stop")
    report.expect(f"usage: {final.usage}", final.usage.output_tokens > 100 and final.usage.input_tokens > 0)
    return {"deltas": events.count("content_block_delta"), "characters": len(text), "output_tokens": final.usage.output_tokens}


def tool_loop(case, stream):
    tools = [{"name": f["name"], "description": f["description"], "input_schema": f["parameters"]}
             for f in (cases["tools"][name]["function"] for name in case["tools"])]
    messages = [{"role": "user", "content": case["user"]}]
    options = {"model": model, "max_tokens": 400, "tools": tools, "extra_body": {"temperature": 0}}

    def turn():
        if not stream:
            return client.messages.create(messages=messages, **options)
        with client.messages.stream(messages=messages, **options) as events:
            return events.get_final_message()

    answer = turn()
    calls = [block for block in answer.content if block.type == "tool_use"]
    made = [{"name": call.name, "arguments": call.input} for call in calls]
    if not report.expect(f"tool call: {case['user']!r} gave {made}", made == [case["call"]] and answer.stop_reason == "tool_use"):
        return False
    messages.append({"role": "assistant", "content": answer.content})
    messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": calls[0].id, "content": case["result"]}]})
    text = turn().content[0].text
    return report.expect(f"tool answer: {case['user']!r} gave {text!r}", text == case["answer"])


def tool_loops():
    chosen = spread(cases["tool"], 8)
    return {"tried": len(chosen), "right": sum(tool_loop(case, index % 2 == 1) for index, case in enumerate(chosen))}


def stopped():
    answer = ask("What color is snow?", stop_sequences=[" white"])
    report.expect(f"stopped: {answer}", answer.stop_reason == "stop_sequence" and answer.stop_sequence == " white")
    cut = client.messages.create(
        model=model, max_tokens=2, messages=[{"role": "user", "content": "What color is snow?"}])
    report.expect(f"cut: {cut.stop_reason}", cut.stop_reason == "max_tokens")
    return answer.content[0].text


def system():
    """The template of Pebble shows a system prompt before the question; what it answers then is its own affair."""
    answer = ask("Hello", system=[{"type": "text", "text": "You are a test."}])
    return {"text": answer.content[0].text, "input_tokens": answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0)}


def structured():
    answer = ask("Give me a number.", output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    import json
    value = json.loads(answer.content[0].text)
    report.expect(f"structured: {value}", isinstance(value.get("n"), int))
    return value


def counted():
    messages = [{"role": "user", "content": "What color is snow?"}]
    count = client.messages.count_tokens(model=model, messages=messages).input_tokens
    usage = ask("What color is snow?").usage
    real = usage.input_tokens + (usage.cache_read_input_tokens or 0)
    report.expect(f"count_tokens says {count}, the answer {real}", count == real)
    return count


def models():
    ids = [entry.id for entry in client.models.list()]
    report.expect("models.list has a model", len(ids) > 0)
    return {"ids": ids, "retrieved": client.models.retrieve(model).id}


def errors():
    hi = [{"role": "user", "content": "Hello"}]
    create, unchecked = client.messages.create, {**SCHEMA, "unevaluatedProperties": False}
    image = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]
    return {
        "unknownModel": report.refused(lambda: create(model="ai/none", max_tokens=9, messages=hi), anthropic.NotFoundError, 404),
        "noMessages": report.refused(lambda: create(model=model, max_tokens=9, messages=[]), anthropic.BadRequestError, 400),
        "tooLong": report.refused(lambda: ask("word " * 4000), anthropic.BadRequestError, 400),
        "tooLongStream": report.refused(lambda: list(ask("word " * 4000, stream=True)), anthropic.BadRequestError, 400),
        "serverTool": report.refused(
            lambda: ask("x", tools=[{"type": "web_search_20250305", "name": "web_search"}]), anthropic.BadRequestError, 400),
        "unchecked": report.refused(
            lambda: ask("x", output_config={"format": {"type": "json_schema", "schema": unchecked}}), anthropic.BadRequestError, 400),
        "noPictures": report.refused(lambda: ask(image), anthropic.BadRequestError, 400),
        "broken": report.refused(lambda: ask("Give me a number.", output_config={
            "format": {"type": "json_schema", "schema": {"type": "object", "properties": {
                "n": {"type": "integer", "multipleOf": 1000003, "minimum": 1, "maximum": 9}}, "required": ["n"]}}}),
            anthropic.InternalServerError, 500),
    }


report.run([("models", models), ("chat", plain), ("stream", streamed), ("system", system), ("stopped", stopped),
            ("toolLoops", tool_loops), ("structured", structured), ("count", counted), ("errors", errors)])
