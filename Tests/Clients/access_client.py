"""Those who come from beyond this machine: over TLS, with API keys, through PyPI's own clients.

To be run in a network namespace of its own (`unshare -n`), which has nothing but a loopback device: it gets a second
address, which counts as one beyond this machine and is reached from nowhere else.
usage: access_client.py WHARF PEBBLE.gguf
"""

import fcntl, json, os, signal, socket, ssl, struct, subprocess, sys, time

import anthropic, httpx, httpx2, ollama, openai

ADDRESS, PORT, TLS_PORT = "198.51.100.7", 22434, 22444
wharf, pebble = sys.argv[1:]


def configure_network():
    """The loopback device up, with a second address: SIOCSIFFLAGS and SIOCSIFADDR."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(ADDRESS))
        fcntl.ioctl(control, 0x8916, struct.pack("16s16s", b"lo:1", address))


def model(*arguments):
    return subprocess.run([wharf, "model", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def refusal(body):
    """What a call is refused with: class, status, Retry-After, and the body's shape."""
    try:
        body()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        response = error.response
        return [type(error).__name__, response.status_code, "retry-after" in response.headers, sorted(response.json())]
    except ollama.ResponseError as error:
        return [type(error).__name__, error.status_code]
    except (openai.APIConnectionError, httpx.ConnectError) as error:
        return [type(error).__name__]
    return None


def ask(api, name):
    messages = [{"role": "user", "content": "What color is snow?"}]
    if isinstance(api, openai.OpenAI):
        return api.chat.completions.create(model=name, messages=messages, temperature=0).choices[0].message.content
    if isinstance(api, anthropic.Anthropic):
        extra = {"temperature": 0}
        return api.messages.create(model=name, messages=messages, max_tokens=50, extra_body=extra).content[0].text
    return api.chat(model=name, messages=messages, options={"temperature": 0}).message.content


def clients(key, base, verify):
    def http(library):
        return library.Client(verify=verify)

    return {
        "openai": openai.OpenAI(api_key=key, base_url=f"{base}/v1", max_retries=0, http_client=http(httpx)),
        "anthropic": anthropic.Anthropic(api_key=key, base_url=base, max_retries=0, http_client=http(httpx2)),
        "ollama": ollama.Client(host=base, verify=verify, headers={"Authorization": f"Bearer {key}"}),
    }


configure_network()
environment = {**os.environ, "MODEL_RUNNER_TLS_ENABLED": "1", "MODEL_RUNNER_TLS_PORT": str(TLS_PORT)}
daemon = subprocess.Popen(
    [wharf, "serve", "--host", ADDRESS, "--port", str(PORT)], env=environment, stderr=subprocess.PIPE, text=True)
try:
    said = []
    while sum("listening on http" in line for line in said) < 4:
        line = daemon.stderr.readline()
        if not line:
            sys.exit("".join(said))
        said.append(line)
    model("package", "--gguf", pebble, "pebble")
    model("package", "--gguf", pebble, "--context-size", "512", "other")
    limited = model("keys", "add", "--model", "pebble", "--rate", "8", "limited")
    any_model = model("keys", "add", "any")
    base = f"https://{ADDRESS}:{TLS_PORT}"
    trusted = ssl.create_default_context(cafile=os.path.expanduser("~/.docker/model-runner/certs/ca.pem"))
    seen = {"keys": json.loads(model("keys", "ls", "--json"))}
    known = clients(limited, base, trusted)
    # Three and three of the eight that the key has.
    seen["answers"] = {name: ask(api, "pebble") for name, api in known.items()}
    seen["otherModel"] = {name: refusal(lambda: ask(api, "other")) for name, api in known.items()}
    header = {"x-api-key": limited}
    with httpx.Client(verify=trusted, headers=header) as http:
        seen["managed"] = [http.get(f"{base}/models").status_code, http.delete(f"{base}/models/pebble").status_code]
    seen["tooOften"] = {name: refusal(lambda: ask(api, "pebble")) for name, api in known.items()}
    with httpx.Client(verify=trusted, headers=header) as http:
        response = http.post(f"{base}/api/chat", json={"model": "pebble"})
        wait = int(response.headers["retry-after"])
        seen["ollamaTooOften"] = [response.status_code, 0 < wait <= 60, list(response.json())]
    seen["noKey"] = {name: refusal(lambda: ask(api, "pebble")) for name, api in clients("none", base, trusted).items()}
    # Another key, no TLS, any model.
    seen["plain"] = ask(clients(any_model, f"http://{ADDRESS}:{PORT}", trusted)["openai"], "other")
    seen["untrusted"] = refusal(lambda: httpx.get(f"{base}/v1/models"))
    wrong = clients(any_model, f"https://{ADDRESS}:{PORT}", trusted)["openai"]
    seen["tlsOnThePlainPort"] = refusal(lambda: ask(wrong, "pebble"))
    with httpx.Client(verify=trusted) as http:
        seen["here"] = http.get(f"https://localhost:{TLS_PORT}/models").status_code
    model("keys", "rm", "any")
    seen["removed"] = refusal(lambda: ask(clients(any_model, base, trusted)["openai"], "pebble"))
finally:
    daemon.send_signal(signal.SIGTERM)
    seen_exit = daemon.wait(timeout=30)
seen["exit"] = seen_exit
print(json.dumps(seen))
