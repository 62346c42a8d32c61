#!/usr/bin/env python3
"""What the daemon itself costs a request: a chat completion from an engine that answers at once; prints Markdown.

usage: instant_engine.py --wharf PROGRAM --model GGUF --home FOLDER [--rounds 3] [--seconds 3] [--clients 1,8,32]
The engine is nginx with one fixed answer, started by the daemon as it starts llama.cpp; the floor is the same nginx
asked directly, over TCP. Load comes from wrk. Rounds alternate; medians are shown. Linux only: it reads /proc. Needs
nginx and wrk, standard library otherwise.
"""

import argparse
import datetime
import json
import os
import re
import statistics
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from chat_stream import cpu_model, fetch, free_port, stop, wait_for
from mcpbench import usage

ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "pebble",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
# Stands in for llama-server: the daemon names the socket, everything else it says is of no interest.
ENGINE = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = --host ] && socket=$2; shift; done
folder=$(mktemp -d)
trap 'kill $pid; wait $pid; rm -rf "$folder"' TERM INT EXIT
cat >"$folder/conf" <<END
daemon off; worker_processes 1; pid $folder/pid; error_log /dev/null;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; client_body_temp_path $folder/body;
  proxy_temp_path $folder/p; fastcgi_temp_path $folder/f; uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
  server {
    listen unix:$socket; listen 127.0.0.1:PORT;
    default_type application/json;
    location / { return 200 'ANSWER'; }
  }
}
END
NGINX -c "$folder/conf" -p "$folder" 2>/dev/null &
pid=$!
wait $pid
"""
REQUEST = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[BODY]]
"""


def load(url, script, clients, seconds, pid):
    before = usage(pid)
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--latency", "-s", script, url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"instant_engine: not every request was answered:\n{text}")
    requests = int(re.search(r"(\d+) requests in", text)[1])
    p50, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)\b", text).groups()
    scale = {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    cpu = (usage(pid)[2] - before[2]) * 1e3 / requests
    print(f"  {url}: {clients} clients: {rate:.0f}/s", file=sys.stderr, flush=True)
    return {"per_s": rate, "p50": float(p50) * scale, "cpu": cpu}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wharf", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--clients", type=lambda text: [int(word) for word in text.split(",")], default=[1, 8, 32])
    parser.add_argument("--build", default="unknown build")
    options = parser.parse_args()
    port, direct_port = free_port(), free_port()
    engine = os.path.join(options.home, "instant-engine")
    nginx = next(path for path in ("/usr/sbin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx") if os.path.exists(path))
    with open(engine, "w") as file:
        file.write(ENGINE.replace("PORT", str(direct_port)).replace("ANSWER", json.dumps(ANSWER)).replace("NGINX", nginx))
    os.chmod(engine, os.stat(engine).st_mode | stat.S_IXUSR)
    body = {"model": "pebble", "messages": [{"role": "user", "content": "Hello"}]}
    script = os.path.join(options.home, "instant.lua")
    with open(script, "w") as file:
        file.write(REQUEST.replace("BODY", json.dumps(body)))
    environment = {
        **os.environ, "HOME": options.home, "MODEL_RUNNER_PORT": str(port), "LLAMA_SERVER_PATH": engine,
        "MODEL_RUNNER_SOCK": os.path.join(options.home, "instant.sock")}
    for name in ("DOCKER_CONFIG", "MODELS_PATH", "MODEL_RUNNER_HOST"):
        environment.pop(name, None)
    package = [options.wharf, "model", "package", "--gguf", options.model, "pebble"]
    subprocess.run(package, check=True, env=environment, stdout=subprocess.DEVNULL)
    rows = {}
    with open(os.path.join(options.home, "bench.log"), "ab") as log:
        daemon = subprocess.Popen(
            [options.wharf, "serve", "--port", str(port)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            base = f"http://127.0.0.1:{port}"
            wait_for(f"{base}/models", daemon)
            idle = usage(daemon.pid)[0]
            through, direct = f"{base}/engines/v1/chat/completions", f"http://127.0.0.1:{direct_port}/v1/chat/completions"
            if json.loads(fetch(through, body)) != json.loads(fetch(direct, body)):
                sys.exit("instant_engine: daemon and engine do not give the same answer; nothing to compare")
            for clients in options.clients:
                for _ in range(options.rounds):
                    for name, url in (("through", through), ("direct", direct)):
                        rows.setdefault((clients, name), []).append(load(url, script, clients, options.seconds, daemon.pid))
            after = usage(daemon.pid)[0]
        finally:
            stop(daemon)
    print(table(options, rows, idle, after))


def table(options, rows, idle, after):
    def middle(clients, name, key):
        return statistics.median(row[key] for row in rows[clients, name])

    total = sum(row["per_s"] * options.seconds for (_, name), group in rows.items() if name == "through" for row in group)
    lines = [
        f"Measured {datetime.date.today()} on {cpu_model()}, {os.cpu_count()} cores; {options.build}. A plain chat "
        f"completion from an engine that answers at once (nginx), asked by wrk; {options.rounds} alternating rounds of "
        f"{options.seconds:g} s, medians. Load generator, daemon and engine share the cores.",
        "",
        "| clients | what | engine | through wharf |",
        "|---:|---|---:|---:|",
    ]
    for clients in options.clients:
        rate = [middle(clients, name, "per_s") for name in ("direct", "through")]
        time = [middle(clients, name, "p50") for name in ("direct", "through")]
        lines.append(f"| {clients} | requests per second | {rate[0]:.0f} | {rate[1]:.0f} |")
        lines.append(f"| {clients} | p50 ms | {time[0]:.3f} | {time[1]:.3f} |")
        lines.append(f"| {clients} | the daemon's own CPU, ms a request | | {middle(clients, 'through', 'cpu'):.3f} |")
    lines.append(f"| | the daemon's memory, idle and after {total / 1e3:.0f} thousand requests, MiB | | {idle:.1f}; {after:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
