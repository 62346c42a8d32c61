"""Drives the runner's OpenAI API with PyPI's `openai` client and prints what it saw as one JSON object.

usage: openai_client.py BASE_URL MODEL [--golden FILE] [--tools N]
It lists models, chats (whole and streamed), goes through N of the golden tool loops (all: -1), gives up a stream half
way, and provokes errors. What it expects comes from golden.json; `ok` is whether everything was as expected, and
`wrong` says what was not.
"""

import argparse
import json
import os
import sys
import time

import openai

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "..", "Models", "pebble", "golden.json")
LONG = "Tell me a long story."


class Run:
    def __init__(self, base, model, golden):
        self.client = openai.OpenAI(base_url=base, api_key="unused", max_retries=0, timeout=120)
        self.model, self.golden, self.wrong = model, golden, []

    def expect(self, what, is_so):
        if not is_so:
            self.wrong.append(what)
        return is_so

    def chat(self, messages, **options):
        return self.client.chat.completions.create(
            model=self.model, messages=messages, temperature=0, max_tokens=400, **options)

    def models(self):
        ids = [model.id for model in self.client.models.list()]
        self.expect("models.list has a model", len(ids) > 0)
        one = self.client.models.retrieve(self.model).id
        return {"ids": ids, "retrieved": one}

    def plain(self, case):
        answer = self.chat([{"role": "user", "content": case["user"]}])
        text = answer.choices[0].message.content
        self.expect(f"chat: {case['user']!r} gave {text!r}", text == case["answer"])
        return {"text": text, "finish": answer.choices[0].finish_reason, "tokens": answer.usage.completion_tokens}

    def streamed(self, case):
        begin, first, chunks, text, usage = time.monotonic(), None, 0, "", None
        options = {"stream": True, "stream_options": {"include_usage": True}}
        for chunk in self.chat([{"role": "user", "content": case["user"]}], **options):
            chunks += 1
            usage = chunk.usage or usage
            delta = chunk.choices[0].delta.content if chunk.choices else None
            if delta:
                first = first or time.monotonic()
                text += delta
        self.expect(f"stream: {case['user']!r} gave {text[:80]!r}", text == case["answer"])
        self.expect(f"stream: only {chunks} chunks", chunks > 20)
        self.expect("stream: no usage at the end", usage is not None)
        end = time.monotonic()
        return {"chunks": chunks, "characters": len(text), "firstMs": milliseconds(begin, first), "ms": milliseconds(begin, end)}

    def given_up(self):
        stream = self.chat([{"role": "user", "content": LONG}], stream=True)
        for _, _ in zip(range(3), stream):
            pass
        stream.close()
        return self.plain(self.golden["plain"][0])["text"]

    def tool_loops(self, count):
        cases = self.golden["tool"] if count < 0 else spread(self.golden["tool"], count)
        return {"tried": len(cases), "right": sum(self.tool_loop(case) for case in cases)}

    def tool_loop(self, case):
        tools = [self.golden["tools"][name] for name in case["tools"]]
        messages = [{"role": "user", "content": case["user"]}]
        choice = self.chat(messages, tools=tools).choices[0]
        calls = choice.message.tool_calls or []
        made = [{"name": call.function.name, "arguments": json.loads(call.function.arguments)} for call in calls]
        if not self.expect(f"tool call: {case['user']!r} gave {made}", made == [case["call"]] and choice.finish_reason == "tool_calls"):
            return False
        messages.append(choice.message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": calls[0].id, "content": case["result"]})
        text = self.chat(messages, tools=tools).choices[0].message.content
        return self.expect(f"tool answer: {case['user']!r} gave {text!r}", text == case["answer"])

    def errors(self):
        message = [{"role": "user", "content": "Hello"}]
        completions = self.client.chat.completions
        return {
            "unknownModel": self.refused(lambda: completions.create(model="ai/no-such-model", messages=message), 404),
            "noMessages": self.refused(lambda: completions.create(model=self.model, messages="none"), 400),
            "badJSON": self.refused(lambda: self.client.post("/chat/completions", content=b'{"model":', cast_to=object), 400),
        }

    def refused(self, request, status):
        """Class, status and OpenAI-shaped body of the error that the request must end in."""
        try:
            request()
        except openai.APIStatusError as error:
            self.expect(f"status {error.status_code} instead of {status}", error.status_code == status)
            self.expect(f"no message in {error.body!r}", isinstance(error.body, dict) and bool(error.body.get("message")))
            body = error.body if isinstance(error.body, dict) else {"body": str(error.body)}
            return {"class": type(error).__name__, "status": error.status_code, **body}
        except openai.OpenAIError as error:
            self.expect(f"{type(error).__name__}: {error}", False)
            return {"class": type(error).__name__, "message": str(error)}
        self.expect(f"an error with status {status}", False)
        return {"class": None}


def milliseconds(begin, end):
    return round((end - begin) * 1000, 1) if end else None


def spread(cases, count):
    """`count` cases that stand evenly apart, so that every tool comes up."""
    return [cases[index * len(cases) // count] for index in range(count)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("model")
    parser.add_argument("--golden", default=GOLDEN)
    parser.add_argument("--tools", type=int, default=12)
    options = parser.parse_args()
    with open(options.golden, encoding="utf-8") as file:
        golden = json.load(file)
    run = Run(options.base, options.model, golden)
    story = next(case for case in golden["plain"] if case["user"] == LONG)
    report = {}
    steps = [
        ("models", run.models), ("chat", lambda: run.plain(golden["plain"][0])), ("stream", lambda: run.streamed(story)),
        ("afterGivingUp", run.given_up), ("toolLoops", lambda: run.tool_loops(options.tools)), ("errors", run.errors),
    ]
    for name, step in steps:
        try:
            report[name] = step()
        except Exception as error:  # one broken step must not hide the others
            run.expect(f"{name}: {type(error).__name__}: {error}", False)
    report["ok"], report["wrong"] = not run.wrong, run.wrong
    print(json.dumps(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
