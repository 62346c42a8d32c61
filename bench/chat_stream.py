#!/usr/bin/env python3
"""Chat streaming through the daemon against the engine directly, in one run; prints Markdown.

usage: chat_stream.py --wharf PROGRAM --model GGUF --home FOLDER [--rounds 3] [--seconds 3] [--clients 1,4]
The daemon loads the model by itself. The direct engine is started with the very command line and environment of the
daemon's own engine process, on a TCP port instead of its socket. Rounds alternate (daemon, engine, daemon, ...);
medians of the rounds are shown. Linux only: it reads /proc. Standard library only.
"""

import argparse
import datetime
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
    command = [sys.executable, os.path.join(HERE, "httpbench.py"), "--url", url, "--body", json.dumps(body), "-c", str(clients)]
    command += ["--seconds", str(seconds), "--label", label, "--pid", str(pid), "--json", "/dev/stdout"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    row = json.loads(next(line for line in lines if line.startswith("{")))
    if row["errors"]:
        sys.exit(f"chat_stream: {label}: {row['errors']} errors, first {row['first_error']}")
    print(f"  {label:7} {clients} clients: {row['per_s']} answers/s, p50 {row['p50_ms']} ms", file=sys.stderr, flush=True)
    return row


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
    parser.add_argument("--clients", default="1,4")
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
        body = {"model": "pebble", "messages": [{"role": "user", "content": PROMPT}], "temperature": 0, "max_tokens": 400}
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
    finally:
        for process in reversed(processes):
            stop(process)
        log.close()
    print(table(options, rows, tokens))


def run_rounds(options, body, through, direct, daemon_pid, engine_pid):
    rows = {}
    for clients in map(int, options.clients.split(",")):
        for _ in range(options.rounds):
            for label, url, pid in (("daemon", through, daemon_pid), ("engine", direct, engine_pid)):
                row = measure(label, url, body, clients, options.seconds, pid)
                rows.setdefault((clients, label), []).append(row)
    return rows


def table(options, rows, tokens):
    def middle(clients, label, key):
        return statistics.median(row[key] for row in rows[clients, label])

    busy = max(row["cores_busy_before"] for group in rows.values() for row in group)
    lines = [
        f"Measured {datetime.date.today()} on {cpu_model()}, {os.cpu_count()} cores; {options.build}. "
        f"Model: Pebble (1.1 M parameters), {tokens} tokens an answer; {options.rounds} alternating rounds of "
        f"{options.seconds:g} s, medians. Load generator, daemon and engine share the cores; other work kept up to "
        f"{busy:g} cores busy before a round.",
        "",
        "| clients | what | engine | through wharf | wharf/engine |",
        "|---:|---|---:|---:|---:|",
    ]
    kinds = [("answers per second", "per_s", 1), ("whole answer, p50 ms", "p50_ms", 1), ("first bytes, p50 ms", "first_p50_ms", 2)]
    for clients in sorted({clients for clients, _ in rows}):
        for name, key, digits in kinds:
            engine, daemon = middle(clients, "engine", key), middle(clients, "daemon", key)
            lines.append(f"| {clients} | {name} | {engine:.{digits}f} | {daemon:.{digits}f} | {daemon / engine:.2f} |")
        added = (middle(clients, "daemon", "p50_ms") - middle(clients, "engine", "p50_ms")) * 1000 / tokens
        cpu = middle(clients, "daemon", "cpu_ms_per_req") * 1000 / tokens
        lines.append(f"| {clients} | added per token, µs of time; the daemon's own CPU | | {added:.0f}; {cpu:.0f} | |")
    lines += [
        "",
        "A model this small gives a token in a fraction of a millisecond, so every cost of the way shows; one that takes "
        "20 ms a token hides it.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
