#!/usr/bin/env python3
"""Pull and push of a model with one large layer against skopeo and curl, in one run; prints Markdown.

usage: registry_transfer.py --wharf PROGRAM --home FOLDER [--rounds 3] [--mebibytes 1024]
The registry is Debian's docker-registry on loopback with its storage below FOLDER. Pull: `docker model pull` through
the daemon, synchronised to the disk; `skopeo copy` into an OCI layout; `curl -o` and then `openssl dgst -sha256`,
alone and with `sync` of the file. Push: `docker model push`; `curl -T` of the same blob. Rounds alternate, medians are
shown; the daemon's memory is its peak (VmHWM) over all rounds. Linux only. Needs docker-registry, skopeo, curl, openssl.
"""

import argparse
import datetime
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from chat_stream import cpu_model, free_port, stop, wait_for
from mcpbench import usage

ALIGNMENT = 32


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text.encode()


def write_model(path, size):
    """A GGUF file with one tensor of random bytes."""
    name = gguf_text("token_embd.weight")
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    head += gguf_text("general.architecture") + struct.pack("<I", 8) + gguf_text("llama")
    # Half-precision floats, two bytes each.
    head += name + struct.pack("<IQIQ", 1, size // 2, 1, 0)
    head += b"\0" * (-len(head) % ALIGNMENT)
    with open(path, "wb") as file:
        file.write(head)
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())


def timed(command, **options):
    begin = time.monotonic()
    outcome = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    took = time.monotonic() - begin
    if outcome.returncode != 0:
        sys.exit(f"registry_transfer: {' '.join(command)}: {outcome.stderr.decode()[-500:]}")
    return took


def peak(pid, reset=False):
    """MiB of memory the process had at the most."""
    if reset:
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = os.path.join(options.home, "transfer")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.port, self.registry_port = free_port(), free_port()
        self.environment = {
            **os.environ, "HOME": self.folder, "MODEL_RUNNER_PORT": str(self.port),
            "MODEL_RUNNER_SOCK": os.path.join(options.home, "transfer.sock")}
        for name in ("DOCKER_CONFIG", "MODELS_PATH", "MODEL_RUNNER_HOST"):
            self.environment.pop(name, None)
        self.rows = {}
        self.pushed = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def note(self, what, took):
        self.rows.setdefault(what, []).append(took)
        print(f"  {what}: {took:.2f} s", file=sys.stderr, flush=True)

    def wharf(self, *words):
        return timed([self.options.wharf, "model", *words], env=self.environment)

    def start(self, log):
        configuration = self.path("registry.yml")
        with open(configuration, "w") as file:
            file.write(
                f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                f"storage: {{filesystem: {{rootdirectory: {self.path('registry')}}}, delete: {{enabled: true}}}}\n"
                f"http: {{addr: '127.0.0.1:{self.registry_port}'}}\n")
        self.registry = subprocess.Popen(["docker-registry", "serve", configuration], stdout=log, stderr=log)
        self.daemon = subprocess.Popen(
            [self.options.wharf, "serve", "--port", str(self.port)], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)
        wait_for(f"http://127.0.0.1:{self.registry_port}/v2/", self.registry)
        wait_for(f"http://127.0.0.1:{self.port}/models", self.daemon)

    def end(self):
        for process in (self.daemon, self.registry):
            stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self):
        model = self.path("model.gguf")
        write_model(model, self.options.mebibytes << 20)
        self.name = f"127.0.0.1:{self.registry_port}/bench/model:1"
        self.wharf("package", "--gguf", model, self.name)
        self.wharf("push", self.name)
        manifest = json.loads(urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{self.registry_port}/v2/bench/model/manifests/1",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})).read())
        self.blob = max(manifest["layers"], key=lambda layer: layer["size"])["digest"]
        for round in range(self.options.rounds):
            self.pulls()
            self.pushes(model, round)

    def pulls(self):
        base = f"http://127.0.0.1:{self.registry_port}"
        # All its names, else its files stay.
        for name in [self.name, *self.pushed]:
            self.wharf("rm", "-f", name)
        self.pushed = []
        os.sync()
        peak(self.daemon.pid, reset=True)
        cpu = usage(self.daemon.pid)[2]
        self.note("pull", self.wharf("pull", self.name))
        self.rows.setdefault("pull cpu", []).append(usage(self.daemon.pid)[2] - cpu)
        self.rows.setdefault("pull memory", []).append(peak(self.daemon.pid))
        os.sync()
        layout = self.path("layout")
        copy = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", f"docker://{self.name}", f"oci:{layout}:1"]
        self.note("skopeo", timed(copy))
        shutil.rmtree(layout)
        os.sync()
        file = self.path("blob")
        get = ["curl", "-sSf", "-o", file, f"{base}/v2/bench/model/blobs/{self.blob}"]
        begin = time.monotonic()
        timed(get)
        hashed = timed(["openssl", "dgst", "-sha256", file])
        self.note("curl and openssl", time.monotonic() - begin)
        self.note("the same with sync", self.rows["curl and openssl"][-1] + timed(["sync", "-d", file]))
        self.rows.setdefault("openssl", []).append(hashed)
        os.remove(file)

    def pushes(self, model, round):
        base = f"http://127.0.0.1:{self.registry_port}"
        target = f"127.0.0.1:{self.registry_port}/bench/push{round}:1"
        self.wharf("tag", self.name, target)
        self.pushed.append(target)
        # Under the same registry its blob would be taken from the other name.
        timed(["curl", "-sSf", "-X", "DELETE", f"{base}/v2/bench/model/blobs/{self.blob}"])
        os.sync()
        peak(self.daemon.pid, reset=True)
        cpu = usage(self.daemon.pid)[2]
        self.note("push", self.wharf("push", target))
        self.rows.setdefault("push cpu", []).append(usage(self.daemon.pid)[2] - cpu)
        self.rows.setdefault("push memory", []).append(peak(self.daemon.pid))
        os.sync()
        begin = time.monotonic()
        head = subprocess.run(
            ["curl", "-sSf", "-X", "POST", "-D", "-", "-o", "/dev/null", f"{base}/v2/bench/curl{round}/blobs/uploads/"],
            check=True, capture_output=True, text=True).stdout
        location = next(line.split(":", 1)[1].strip() for line in head.splitlines() if line.lower().startswith("location:"))
        timed(["curl", "-sSf", "-T", model, "-H", "Content-Type: application/octet-stream", f"{location}&digest={self.blob}"])
        self.note("curl -T", time.monotonic() - begin)
        # The next pull needs the blob under the first name.
        self.wharf("push", self.name)


def table(options, rows):
    middle = {what: statistics.median(values) for what, values in rows.items()}
    lines = [
        f"Measured {datetime.date.today()} on {cpu_model()}, {os.cpu_count()} cores; {options.build}. One layer of "
        f"{options.mebibytes} MiB random bytes, docker-registry on loopback; {options.rounds} alternating rounds, medians. "
        "Registry and client share the cores; Wharf's times include synchronising to the disk.",
        "",
        "| | seconds | of Wharf's time |",
        "|---|---:|---:|",
    ]
    for title, what, base in [
        ("`docker model pull`", "pull", "pull"), ("`skopeo copy` to an OCI layout", "skopeo", "pull"),
        ("`curl -o`, then `openssl dgst -sha256`", "curl and openssl", "pull"),
        ("the same, then `sync` of the file", "the same with sync", "pull"),
        ("`docker model push`", "push", "push"), ("`curl -T`", "curl -T", "push"),
    ]:
        lines.append(f"| {title} | {middle[what]:.2f} | {middle[what] / middle[base]:.2f} |")
    lines += ["", f"The daemon's memory at its peak: pull {max(rows['pull memory']):.1f} MiB, push {max(rows['push memory']):.1f} MiB; "
              f"its own CPU: pull {middle['pull cpu']:.2f} s, push {middle['push cpu']:.2f} s."]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wharf", required=True)
    parser.add_argument("--home", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--build", default="unknown build")
    options = parser.parse_args()
    bench = Bench(options)
    with open(os.path.join(options.home, "bench.log"), "ab") as log:
        try:
            bench.start(log)
            bench.run()
        finally:
            bench.end()
    print(table(options, bench.rows))


if __name__ == "__main__":
    main()
