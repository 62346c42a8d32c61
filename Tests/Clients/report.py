"""What the scripts beside this one share: a report of what was seen, and of what was not as expected."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "..", "Models", "pebble", "golden.json")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def golden():
    with open(GOLDEN, encoding="utf-8") as file:
        return json.load(file)


def spread(cases, count):
    """`count` cases that stand evenly apart, so that every tool comes up."""
    return [cases[index * len(cases) // count] for index in range(count)]


class Report:
    def __init__(self):
        self.seen, self.wrong = {}, []

    def expect(self, what, is_so):
        if not is_so:
            self.wrong.append(what)
        return is_so

    def refused(self, request, kind, status):
        """The class and text of the error that the request must end in."""
        try:
            request()
        except Exception as error:
            code = getattr(error, "status_code", None)
            self.expect(f"{type(error).__name__} {code} instead of {kind.__name__} {status}: {error}",
                        isinstance(error, kind) and code == status)
            return {"class": type(error).__name__, "status": code, "message": str(error), "body": getattr(error, "body", None)}
        self.expect(f"no {kind.__name__} with status {status}", False)
        return {"class": None}

    def run(self, steps):
        """Runs every step; one that breaks must not hide the others."""
        for name, step in steps:
            try:
                self.seen[name] = step()
            except Exception as error:
                self.expect(f"{name}: {type(error).__name__}: {error}", False)
        print(json.dumps({**self.seen, "ok": not self.wrong, "wrong": self.wrong}, default=str))
        sys.exit(0 if not self.wrong else 1)
