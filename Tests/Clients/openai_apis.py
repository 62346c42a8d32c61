"""Drives what the runner offers OpenAI's clients beyond chat: structured output, embeddings, completions, responses.

usage: openai_apis.py BASE_URL MODEL
Prints what it saw as one JSON object.
"""

import json
import sys

import openai
from pydantic import BaseModel
from report import PIXEL, Report, golden, spread

base, model = sys.argv[1:3]
client = openai.OpenAI(base_url=base, api_key="unused", max_retries=0, timeout=120)
cases, report = golden(), Report()


class Number(BaseModel):
    n: int


#: The engine's grammar takes no notice of these numbers, so that its answer is wrong.
BROKEN = {"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 1000003, "minimum": 1, "maximum": 9}},
          "required": ["n"], "additionalProperties": False}


def wanted(schema):
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def ask(text, **options):
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], temperature=0, max_tokens=100, **options)


def structured():
    answer = client.chat.completions.parse(
        model=model, messages=[{"role": "user", "content": "Give me a number."}], response_format=Number, temperature=0, max_tokens=100)
    value = answer.choices[0].message.parsed
    report.expect(f"structured: {value}", isinstance(value, Number))
    whole = report.refused(lambda: ask("Give me a number.", response_format=wanted(BROKEN)), openai.InternalServerError, 500)
    chunks = []
    try:
        for chunk in ask("Give me a number.", response_format=wanted(BROKEN), stream=True):
            chunks.append(chunk)
        report.expect("a stream of a wrong answer ends in no error", False)
        streamed = None
    except openai.APIError as error:
        streamed = {"class": type(error).__name__, "message": error.message, "code": error.code}
        report.expect(f"streamed: {streamed}", "does not match the schema" in error.message and len(chunks) > 2)
        finished = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
        report.expect(f"streamed: finished {finished}", not finished)
    return {"parsed": value.model_dump(), "whole": whole, "streamed": streamed}


def logprobs():
    answer = ask("What color is snow?", logprobs=True, top_logprobs=2)
    tokens = [token.token for token in answer.choices[0].logprobs.content]
    report.expect(f"logprobs: {tokens}", "".join(tokens) == "Snow is white.")
    return tokens


def completions():
    answer = client.completions.create(
        model=model, prompt="<|im_start|>user\nWhat color is snow?<|im_end|>\n<|im_start|>assistant\n", temperature=0, max_tokens=20)
    report.expect(f"completions: {answer.choices[0].text!r}", answer.choices[0].text == "Snow is white.")
    return answer.choices[0].text


def embeddings():
    answer = client.embeddings.create(model=model, input=["snow", "grass"])
    sizes = [len(entry.embedding) for entry in answer.data]
    report.expect(f"embeddings: {sizes}", sizes == [128, 128] and answer.usage.prompt_tokens > 0)
    return sizes


def reranked():
    import httpx
    texts, query = ["grass is green", "snow is white"], "snow"
    rerank = httpx.post(f"{base}/rerank", json={"model": model, "query": query, "documents": texts}, timeout=60).json()
    score = httpx.post(f"{base}/score", json={"model": model, "text_1": query, "text_2": texts}, timeout=60).json()
    ranks = {entry["index"]: entry["relevance_score"] for entry in rerank["results"]}
    scores = {entry["index"]: entry["score"] for entry in score["data"]}
    report.expect(f"rerank {ranks}, score {scores}", set(ranks) == {0, 1} == set(scores))
    return {"rerank": ranks, "score": scores}


def responses():
    case = cases["plain"][0]
    first = client.responses.create(model=model, input="My name is Mia.", temperature=0)
    second = client.responses.create(model=model, input="What is my name?", previous_response_id=first.id, temperature=0)
    report.expect(f"responses: {second.output_text!r}", second.output_text == "Your name is Mia.")
    again = client.responses.retrieve(second.id)
    report.expect("responses: retrieved", again.output_text == second.output_text and again.previous_response_id == first.id)
    items = [item.content[0].text for item in client.responses.input_items.list(first.id)]
    report.expect(f"responses: items {items}", items == ["My name is Mia."])
    client.responses.delete(first.id)
    report.refused(lambda: client.responses.retrieve(first.id), openai.NotFoundError, 404)
    plain = client.responses.create(model=model, input=case["user"], temperature=0, store=False)
    report.expect(f"responses: {plain.output_text!r}", plain.output_text == case["answer"] and plain.status == "completed")
    report.refused(lambda: client.responses.retrieve(plain.id), openai.NotFoundError, 404)
    cut = client.responses.create(model=model, input="Tell me a long story.", max_output_tokens=5)
    report.expect(f"responses: {cut.status}", cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens")
    return {"first": first.output_text, "second": second.output_text, "usage": plain.usage.model_dump(exclude_none=True)}


def responses_streamed():
    case = next(case for case in cases["plain"] if case["user"] == "Tell me a long story.")
    kinds, text = [], ""
    with client.responses.stream(model=model, input=case["user"], temperature=0) as stream:
        for event in stream:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                text += event.delta
        final = stream.get_final_response()
    report.expect(f"stream: {text[:60]!r}", text == case["answer"] == final.output_text)
    report.expect(f"stream: {kinds[:4]}", kinds[0] == "response.created" and kinds[-1] == "response.completed")
    parsed = client.responses.parse(model=model, input="Give me a number.", text_format=Number, temperature=0)
    report.expect(f"parse: {parsed.output_parsed}", isinstance(parsed.output_parsed, Number))
    raw = client.responses.create(model=model, input="Give me a number.", temperature=0, stream=True, text={
        "format": {"type": "json_schema", "name": "answer", "schema": BROKEN}})
    last = [event for event in raw][-2:]
    report.expect(f"failed: {[event.type for event in last]}", [event.type for event in last] == ["error", "response.failed"])
    return {"kinds": sorted(set(kinds)), "failed": last[-1].response.error.message}


def responses_tools():
    right = 0
    chosen = spread(cases["tool"], 4)
    for index, case in enumerate(chosen):
        tools = [{"type": "function", **cases["tools"][name]["function"], "strict": False} for name in case["tools"]]
        options = {"model": model, "tools": tools, "temperature": 0}
        if index % 2:
            with client.responses.stream(input=case["user"], **options) as stream:
                answer = stream.until_done().get_final_response()
        else:
            answer = client.responses.create(input=case["user"], **options)
        calls = [item for item in answer.output if item.type == "function_call"]
        made = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in calls]
        if not report.expect(f"tool call: {case['user']!r} gave {made}", made == [case["call"]]):
            continue
        output = [{"type": "function_call_output", "call_id": calls[0].call_id, "output": case["result"]}]
        text = client.responses.create(input=output, previous_response_id=answer.id, **options).output_text
        right += report.expect(f"tool answer: {case['user']!r} gave {text!r}", text == case["answer"])
    return {"tried": len(chosen), "right": right}


def errors():
    image = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]
    bad, create = openai.BadRequestError, client.chat.completions.create
    unchecked = {"type": "object", "unevaluatedProperties": False}
    long = report.refused(lambda: ask("word " * 4000), bad, 400)
    report.expect(f"tooLong: {long}", long["body"]["code"] == "context_length_exceeded" and long["body"]["n_prompt_tokens"] > long["body"]["n_ctx"])
    return {
        "tooLong": long,
        "tooLongStream": report.refused(lambda: list(ask("word " * 4000, stream=True)), bad, 400),
        "tooLongResponse": report.refused(lambda: client.responses.create(model=model, input="word " * 4000), bad, 400),
        "empty": report.refused(lambda: create(model=model, messages=[]), bad, 400),
        "badField": report.refused(lambda: create(model=model, messages=[{"role": "user", "content": "x"}], temperature="hot"), bad, 400),
        "unchecked": report.refused(lambda: ask("x", response_format=wanted(unchecked)), bad, 400),
        "grammar": report.refused(lambda: ask("x", extra_body={"grammar": "root ::= ["}), bad, 400),
        "noPictures": report.refused(lambda: create(model=model, messages=[{"role": "user", "content": image}]), bad, 400),
        "unknown": report.refused(lambda: client.models.retrieve("ai/none"), openai.NotFoundError, 404),
        "previous": report.refused(
            lambda: client.responses.create(model=model, input="x", previous_response_id="resp_none"), openai.NotFoundError, 404),
        "hosted": report.refused(
            lambda: client.responses.create(model=model, input="x", tools=[{"type": "web_search"}]), bad, 400),
    }


report.run([("structured", structured), ("logprobs", logprobs), ("completions", completions), ("embeddings", embeddings),
            ("reranked", reranked), ("responses", responses), ("responsesStreamed", responses_streamed),
            ("responsesTools", responses_tools), ("errors", errors)])
