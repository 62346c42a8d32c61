"""Drives the runner's Ollama API with PyPI's `ollama` client and prints what it saw as one JSON object.

usage: ollama_client.py HOST MODEL GGUF REGISTRY
GGUF is a file to create a model from; REGISTRY is a plain registry's address, to push to and pull from.
"""

import json
import sys

import ollama
from report import PIXEL, Report, golden, spread

host, model, gguf, registry = sys.argv[1:5]
client = ollama.Client(host=host, timeout=120)
cases, report = golden(), Report()
COLD = {"temperature": 0}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def statistics(answer, tokens=True):
    numbers = {name: getattr(answer, name) for name in (
        "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration")}
    report.expect(f"statistics: {numbers}", all(isinstance(value, int) for value in numbers.values()))
    report.expect(f"statistics: {numbers}", numbers["prompt_eval_count"] > 3 and numbers["eval_count"] > 3)
    report.expect(f"statistics: {numbers}", numbers["total_duration"] >= numbers["eval_duration"] > 0)
    return numbers


def chat():
    case = cases["plain"][0]
    answer = client.chat(model, [{"role": "user", "content": case["user"]}], options=COLD)
    report.expect(f"chat: {answer.message.content!r}", answer.message.content == case["answer"] and answer.done_reason == "stop")
    return {"text": answer.message.content, **statistics(answer)}


def streamed():
    case = next(case for case in cases["plain"] if case["user"] == "Tell me a long story.")
    parts = list(client.chat(model, [{"role": "user", "content": case["user"]}], stream=True, options=COLD))
    text = "".join(part.message.content for part in parts)
    report.expect(f"stream: {text[:80]!r}", text == case["answer"])
    report.expect("stream: the last line", parts[-1].done and not parts[0].done and len(parts) > 20)
    return {"lines": len(parts), **statistics(parts[-1])}


def generate():
    answer = client.generate(model, "What color is snow?", options={**COLD, "stop": [" white"]})
    report.expect(f"generate: {answer.response!r}", answer.response == "Snow is")
    parts = list(client.generate(model, "What color is snow?", stream=True, options={**COLD, "num_predict": 2}))
    report.expect(f"generate: {parts[-1].done_reason}", parts[-1].done_reason == "length")
    raw = client.generate(model, "<|im_start|>user\nWhat color is snow?<|im_end|>\n<|im_start|>assistant\n", raw=True, options=COLD)
    report.expect(f"raw: {raw.response!r}", raw.response == "Snow is white.")
    statistics(raw)
    return answer.response


def tool_loop(case):
    tools = [cases["tools"][name] for name in case["tools"]]
    messages = [{"role": "user", "content": case["user"]}]
    message = client.chat(model, messages, tools=tools, options=COLD).message
    made = [{"name": call.function.name, "arguments": dict(call.function.arguments)} for call in message.tool_calls or []]
    if not report.expect(f"tool call: {case['user']!r} gave {made}", made == [case["call"]]):
        return False
    streamed = [call for part in client.chat(model, messages, tools=tools, stream=True, options=COLD)
                for call in part.message.tool_calls or []]
    report.expect(f"streamed tool call: {streamed}", [dict(call.function.arguments) for call in streamed] == [case["call"]["arguments"]])
    messages += [message, {"role": "tool", "tool_name": case["call"]["name"], "content": case["result"]}]
    text = client.chat(model, messages, tools=tools, options=COLD).message.content
    return report.expect(f"tool answer: {case['user']!r} gave {text!r}", text == case["answer"])


def tool_loops():
    chosen = spread(cases["tool"], 6)
    return {"tried": len(chosen), "right": sum(tool_loop(case) for case in chosen)}


def structured():
    answer = client.chat(model, [{"role": "user", "content": "Give me a number."}], format=SCHEMA, options=COLD)
    value = json.loads(answer.message.content)
    report.expect(f"structured: {value}", isinstance(value.get("n"), int))
    loose = json.loads(client.generate(model, "Give me a number.", format="json", options=COLD).response)
    report.expect(f"json: {loose}", isinstance(loose, dict))
    return value


def embeddings():
    answer = client.embed(model, ["snow", "grass"])
    sizes = [len(vector) for vector in answer.embeddings]
    report.expect(f"embed: {sizes}", sizes == [128, 128] and answer.prompt_eval_count > 0)
    old = client.embeddings(model, "snow").embedding
    report.expect("embeddings: the same vector", max(abs(a - b) for a, b in zip(old, answer.embeddings[0])) < 1e-4)
    return sizes


def shown():
    answer = client.show(model)
    report.expect(f"capabilities: {answer.capabilities}", answer.capabilities == ["completion", "tools"])
    report.expect(f"model_info: {answer.modelinfo}", answer.modelinfo["general.architecture"] == "llama")
    return {"capabilities": answer.capabilities, "family": answer.details.family, "parameters": answer.details.parameter_size}


def managed():
    names = [entry.model for entry in client.list().models]
    client.create("brief", from_=model, system="You are a test.", parameters={"temperature": 0, "stop": ["END"]})
    report.expect("create: parameters", "temperature 0" in client.show("brief").parameters)
    client.copy("brief", "copied")
    digest = client.create_blob(gguf)
    statuses = [part.status for part in client.create("fromfile", files={"m.gguf": digest}, stream=True)]
    report.expect(f"create: {statuses}", statuses[-1] == "success")
    target = f"{registry}/it/brief:v1"
    client.copy("brief", target)
    pushed = [part.status for part in client.push(target, stream=True)]
    report.expect(f"push: {pushed[-3:]}", pushed[-1] == "success")
    for name in ("brief", "copied", "fromfile", target):
        client.delete(name)
    pulled = [part for part in client.pull(target, stream=True)]
    report.expect("pull: progress", pulled[-1].status == "success" and pulled[0].status == "pulling manifest")
    client.delete(target)
    after = [entry.model for entry in client.list().models]
    report.expect(f"list: {names} then {after}", names == after)
    return {"names": names, "pull": [part.status for part in pulled][-3:]}


def loaded():
    client.generate(model, keep_alive=-1)
    names = [entry.model for entry in client.ps().models]
    report.expect(f"ps: {names}", "pebble:latest" in names and all(entry.expires_at for entry in client.ps().models))
    client.chat(model, [], keep_alive=0)
    return {"before": names, "after": [entry.model for entry in client.ps().models]}


def errors():
    hi = [{"role": "user", "content": "Hello"}]
    kind = ollama.ResponseError
    return {
        "unknownModel": report.refused(lambda: client.chat("none", hi), kind, 404),
        "unknownModelStream": report.refused(lambda: list(client.chat("none", hi, stream=True)), kind, 404),
        "showNone": report.refused(lambda: client.show("none"), kind, 404),
        "deleteNone": report.refused(lambda: client.delete("none"), kind, 404),
        "badOption": report.refused(lambda: client._request_raw(
            "POST", "/api/chat", json={"model": model, "messages": hi, "options": {"top_k": "many"}}), kind, 400),
        "tooLong": report.refused(lambda: client.chat(model, [{"role": "user", "content": "word " * 4000}]), kind, 400),
        "unchecked": report.refused(lambda: client.chat(model, hi, format={**SCHEMA, "nullable": True}), kind, 400),
        "noPictures": report.refused(lambda: client.generate(model, "x", images=[PIXEL]), kind, 400),
        "suffix": report.refused(lambda: client.generate(model, "x", suffix="y"), kind, 400),
    }


report.run([("chat", chat), ("stream", streamed), ("generate", generate), ("toolLoops", tool_loops), ("structured", structured),
            ("embeddings", embeddings), ("show", shown), ("managed", managed), ("errors", errors), ("loaded", loaded)])
