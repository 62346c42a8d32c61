#!/usr/bin/env python3
"""streams: closed-loop load of streamed chat completions on an HTTP/1.1 server, with as little work of its own as can be.

usage: streams.py --url URL --body JSON [-c 8] [--seconds 5] [--pid PID]; prints one line of JSON.
Each answer has a connection of its own. Times are those of a client: from before the connection to the first byte of the
body, and to its last. Standard library only.
"""

import argparse
import json
import os
import re
import select
import socket
import sys
import time
from urllib.parse import urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mcpbench import pct, usage

END = b"0\r\n\r\n"
TOKENS = re.compile(rb'"(?:predicted_n|completion_tokens)":\s*(\d+)')


class Stream:
    """One answer after the other."""

    def __init__(self, place, head, poll):
        self.place, self.head, self.poll = place, head, poll
        self.begin()

    def begin(self):
        self.began, self.first, self.gap, self.last = time.perf_counter(), None, 0.0, None
        self.pieces, self.tail, self.status = 0, b"", None
        self.socket = socket.create_connection(self.place)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(self.head)
        self.socket.setblocking(False)
        self.poll.register(self.socket, select.EPOLLIN)

    def read(self):
        """Whether the answer has ended."""
        data = self.socket.recv(1 << 16)
        moment = time.perf_counter()
        if not data:
            raise OSError("the connection ended in the middle of an answer")
        if self.status is None:
            self.tail += data
            head, found, data = self.tail.partition(b"\r\n\r\n")
            if not found:
                return False
            self.status, self.tail = int(head.split(b" ", 2)[1]), b""
            if self.status != 200:
                raise OSError(f"status {self.status}: {data[:300]!r}")
        if data:
            if self.first is None:
                self.first = moment
            else:
                self.gap = max(self.gap, moment - self.last)
            self.last = moment
            self.pieces += data.count(b"data:")
            self.tail = (self.tail + data)[-4096:]
        return self.tail.endswith(END)

    def close(self):
        self.poll.unregister(self.socket)
        self.socket.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--body", required=True)
    parser.add_argument("-c", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--pid", type=int, default=0)
    options = parser.parse_args()
    url, body = urlsplit(options.url), options.body.encode()
    head = (
        f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    poll = select.epoll()
    before, began = usage(options.pid) if options.pid else None, time.perf_counter()
    place = (url.hostname, url.port)
    streams = {stream.socket.fileno(): stream for stream in (Stream(place, head, poll) for _ in range(options.c))}
    first, whole, gaps, decode, tokens = [], [], [], [], 0
    while streams:
        for descriptor, _ in poll.poll(60) or sys.exit("streams: nothing has come for a minute"):
            stream = streams[descriptor]
            if not stream.read():
                continue
            found = TOKENS.findall(stream.tail)
            count = int(found[-1]) if found else stream.pieces - 1
            tokens += count
            first.append(stream.first - stream.began)
            whole.append(stream.last - stream.began)
            gaps.append(stream.gap)
            if count > 1 and stream.last > stream.first:
                decode.append((count - 1) / (stream.last - stream.first))
            stream.close()
            del streams[descriptor]
            if time.perf_counter() - began < options.seconds:
                stream.begin()
                streams[stream.socket.fileno()] = stream
    seconds = time.perf_counter() - began
    row = {
        "answers": len(whole), "tokens": tokens, "tokens_per_s": tokens / seconds, "decode_p50": pct(decode, 0.5),
        "first_p50_ms": pct(first, 0.5) * 1e3, "whole_p50_ms": pct(whole, 0.5) * 1e3, "gap_max_ms": max(gaps) * 1e3,
        "answers_per_s": len(whole) / seconds,
    }
    if options.pid:
        after = usage(options.pid)
        row["cpu_us_per_token"] = (after[2] - before[2]) * 1e6 / max(tokens, 1)
        row["rss_mib"] = after[0]
    print(json.dumps(row))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"streams: {error}")
