#!/usr/bin/env python3
"""Chat streaming through the daemon against the engine directly, in one run; prints Markdown.

usage: chat_stream.py --wharf PROGRAM --model GGUF --home FOLDER [--rounds 3] [--seconds 3] [--clients 1,8]
The daemon loads the model by itself. The direct engine is started with the very command line and environment of the
daemon's own engine process, on a TCP port instead of its socket. Rounds alternate (daemon, engine, daemon, ...);
medians of the rounds are shown. Linux only: it reads /proc. Standard library only.
"""

import argparse
import datetime
import http.client
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT = "Tell me a long story."


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, body=None, timeout=120):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as answer:
        return answer.read()


def wait_for(url, process, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            return fetch(url, timeout=2)
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"chat_stream: nothing answers at {url}: {error}")
            time.sleep(0.02)


def children(pid):
    """Every descendant of a process, from /proc."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parents.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                continue
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def zero_separated(path):
    with open(path, "rb") as file:
        return [word.decode() for word in file.read().split(b"\0")[:-1]]


def engine_of(pid):
    """Command line, program and environment of the one engine process below the daemon."""
    for child in children(pid):
        words = zero_separated(f"/proc/{child}/cmdline")
        if "--model" in words and any(word.endswith(".sock") for word in words):
            environment = dict(word.split("=", 1) for word in zero_separated(f"/proc/{child}/environ"))
            return words, os.readlink(f"/proc/{child}/cwd"), environment
    sys.exit("chat_stream: the daemon has no engine process")


def on_tcp(words, port):
    """The same command line, listening on TCP."""
    words = list(words)
    words[words.index("--host") + 1] = "127.0.0.1"
    return words + ["--port", str(port)]


def measure(label, url, body, clients, seconds, pid):
    command = [sys.executable, os.path.join(HERE, "streams.py"), "--url", url, "--body", json.dumps(body), "-c", str(clients)]
    command += ["--seconds", str(seconds), "--pid", str(pid)]
    row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(
        f"  {label:7} {clients:2} streams: {row['tokens_per_s']:.0f} tokens/s, first {row['first_p50_ms']:.2f} ms, "
        f"{row['cpu_us_per_token']:.1f} us of CPU a token", file=sys.stderr, flush=True)
    return row


def first_token(url, body):
    """Seconds to the first byte of a streamed answer's body."""
    began = time.monotonic()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, json.dumps({**body, "max_tokens": 1, "stream": True}).encode(), {"Content-Type": "application/json"})
    with opener.open(request, timeout=120) as answer:
        answer.read(1)
        return time.monotonic() - began


def cold_through(base, url, body):
    fetch(f"{base}/engines/unload", {"all": True})
    while json.loads(fetch(f"{base}/engines/ps")):
        time.sleep(0.02)
    time.sleep(0.3)
    return first_token(url, body)


def cold_direct(words, folder, environment, port, log, body):
    """The same for an engine alone: from its start to ready, as seen by asking every half millisecond, and the answer."""
    began = time.monotonic()
    engine = subprocess.Popen(on_tcp(words, port), cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                pass
            time.sleep(0.0005)
        ready = time.monotonic() - began
        return ready, first_token(f"http://127.0.0.1:{port}/v1/chat/completions", body)
    finally:
        stop(engine)


def tokens_of(answer):
    """The completion's tokens and text, from a plain answer."""
    answer = json.loads(answer)
    return answer["usage"]["completion_tokens"], answer["choices"][0]["message"]["content"]


def cpu_model():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wharf", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--clients", default="1,8")
    parser.add_argument("--many", type=int, default=64, help="streams at once of one more round")
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--title", default="Pebble (1.1 M parameters)")
    parser.add_argument("--build", default="unknown build")
    options = parser.parse_args()
    port, direct_port = free_port(), free_port()
    environment = {**os.environ, "HOME": options.home, "MODEL_RUNNER_PORT": str(port)}
    for name in ("DOCKER_CONFIG", "MODELS_PATH", "MODEL_RUNNER_HOST", "MODEL_RUNNER_SOCK"):
        environment.pop(name, None)
    package = [options.wharf, "model", "package", "--gguf", options.model, "pebble"]
    subprocess.run(package, check=True, env=environment, stdout=subprocess.DEVNULL)
    log = open(os.path.join(options.home, "bench.log"), "ab")
    daemon = subprocess.Popen(
        [options.wharf, "serve", "--port", str(port)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    processes = [daemon]
    try:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/models", daemon)
        body = {"model": "pebble", "messages": [{"role": "user", "content": PROMPT}], "temperature": 0, "max_tokens": options.tokens, "seed": 1}
        through = f"{base}/engines/v1/chat/completions"
        tokens, text = tokens_of(fetch(through, body))
        words, folder, engine_environment = engine_of(daemon.pid)
        engine = subprocess.Popen(
            on_tcp(words, direct_port), cwd=folder, env=engine_environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        processes.append(engine)
        direct = f"http://127.0.0.1:{direct_port}/v1/chat/completions"
        wait_for(f"http://127.0.0.1:{direct_port}/health", engine)
        if tokens_of(fetch(direct, body)) != (tokens, text):
            sys.exit("chat_stream: daemon and engine do not give the same answer; nothing to compare")
        rows = run_rounds(options, {**body, "stream": True}, through, direct, daemon.pid, engine.pid)
        many = measure("daemon", through, {**body, "stream": True, "max_tokens": min(options.tokens, 64)}, options.many, 0.1, daemon.pid)
        stop(engine)
        processes.remove(engine)
        cold = [(cold_through(base, through, body), *cold_direct(words, folder, engine_environment, free_port(), log, body))
                for _ in range(2 * options.rounds + 1)]
    finally:
        for process in reversed(processes):
            stop(process)
        log.close()
    print(table(options, rows, many, cold))


def run_rounds(options, body, through, direct, daemon_pid, engine_pid):
    rows = {}
    for clients in map(int, options.clients.split(",")):
        for _ in range(options.rounds):
            for label, url, pid in (("daemon", through, daemon_pid), ("engine", direct, engine_pid)):
                row = measure(label, url, body, clients, options.seconds, pid)
                rows.setdefault((clients, label), []).append(row)
    return rows


def table(options, rows, many, cold):
    def middle(clients, label, key):
        return statistics.median(row[key] for row in rows[clients, label])

    lines = [
        f"Measured {datetime.date.today()} on {cpu_model()}, {os.cpu_count()} cores; {options.build}. Model: {options.title}, "
        f"answers of at most {options.tokens} tokens; {options.rounds} alternating rounds of {options.seconds:g} s, medians. "
        "Load generator, daemon and engine share the cores.",
        "",
        "| streams | what | engine | through wharf | wharf/engine |",
        "|---:|---|---:|---:|---:|",
    ]
    kinds = [
        ("tokens per second, all streams", "tokens_per_s", 0), ("tokens per second of one stream, p50", "decode_p50", 1),
        ("first bytes, p50 ms", "first_p50_ms", 2), ("longest pause in a stream, ms", "gap_max_ms", 1),
    ]
    for clients in sorted({clients for clients, _ in rows}):
        for name, key, digits in kinds:
            engine, daemon = middle(clients, "engine", key), middle(clients, "daemon", key)
            lines.append(f"| {clients} | {name} | {engine:.{digits}f} | {daemon:.{digits}f} | {daemon / engine:.2f} |")
        lines.append(f"| {clients} | the daemon's own CPU, µs a token | | {middle(clients, 'daemon', 'cpu_us_per_token'):.1f} | |")
    lines.append(f"| {options.many} | answers, of {options.many} asked at once | | {many['answers']} | |")
    lines.append(f"| {options.many} | longest pause in a stream, ms | | {many['gap_max_ms']:.1f} | |")
    lines.append(f"| {options.many} | the daemon's own CPU, µs a token | | {many['cpu_us_per_token']:.1f} | |")
    through, ready, first = (statistics.median(row[place] for row in cold) * 1e3 for place in range(3))
    lines.append(f"| | cold model to first token, ms | {ready:.0f} + {first:.0f} | {through:.0f} | {through - ready - first:+.0f} ms |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
