"""Writes what the Docker engine says about containers with a label: one line for each that starts, dies or goes.

usage: watch-containers.py LABEL...      (LABEL is name=value; all must fit; the engine is DOCKER_HOST)
A line is MILLISECONDS ACTION ID and, for a start, the limits that the engine's own inspection shows.
MILLISECONDS are the engine's clock, since the epoch. It prints `ready` once it listens and ends on SIGTERM.
"""

import http.client
import json
import os
import signal
import socket
import sys
import urllib.parse


class Connection(http.client.HTTPConnection):
    def __init__(self, endpoint):
        self.kind, _, self.address = endpoint.partition("://")
        super().__init__("docker" if self.kind == "unix" else self.address)

    def connect(self):
        if self.kind != "unix":
            return super().connect()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.address)


def inspected(endpoint, identifier):
    """The limits of a container in words, as the engine knows them."""
    connection = Connection(endpoint)
    connection.request("GET", f"/containers/{identifier}/json")
    answer = connection.getresponse()
    body = json.load(answer)
    connection.close()
    if answer.status != 200:
        return "gone before it could be inspected"
    host, config = body["HostConfig"], body["Config"]
    swap = host["MemorySwap"] - host["Memory"] if host["MemorySwap"] > 0 else None
    words = [
        f"{host['NanoCpus'] / 1e9:g} CPU" if host.get("NanoCpus") else "CPUs unlimited",
        f"{host['Memory'] / 2**30:g} GiB" if host.get("Memory") else "memory unlimited",
        "no swap" if swap == 0 else "swap allowed",
        f"{host['PidsLimit']} processes" if host.get("PidsLimit") else "processes unlimited",
        f"network {host['NetworkMode']}",
        "read-only root" if host.get("ReadonlyRootfs") else "writable root",
        f"capabilities dropped: {', '.join(host.get('CapDrop') or []) or 'none'}",
        ", ".join(host.get("SecurityOpt") or []) or "no security options",
        f"{len(host.get('Binds') or []) + len(host.get('Mounts') or [])} host mounts",
        f"tmpfs {', '.join(host.get('Tmpfs') or {}) or 'none'}",
        f"user {config.get('User') or 'root'}",
        "init" if host.get("Init") else "no init",
    ]
    return "; ".join(words)


def main(labels):
    endpoint = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    filters = json.dumps({"type": ["container"], "event": ["start", "die", "destroy"], "label": labels})
    connection = Connection(endpoint)
    connection.request("GET", "/events?filters=" + urllib.parse.quote(filters))
    answer = connection.getresponse()
    print("ready", flush=True)
    for line in answer:
        event = json.loads(line)
        action, identifier = event["Action"], event["Actor"]["ID"]
        note = inspected(endpoint, identifier) if action == "start" else event["Actor"]["Attributes"].get("exitCode", "")
        print(event["timeNano"] // 1_000_000, action, identifier[:12], note, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
