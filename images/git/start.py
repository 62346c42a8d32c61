"""Makes a sample repository in /tmp/sample and becomes mcp-server-git.

The sample is made only where no repository of the user's is named: /tmp is then the only place a container may write
to, and what it holds is gone with the container.
"""

import os
import runpy
import subprocess
import sys

SAMPLE = "/tmp/sample"
COMMITS = [("readme.md", "hello world\n", "Say hello"), ("data.csv", "fruit,color\napple,green\n", "Add an apple")]


def git(*words):
    subprocess.run(["git", "-C", SAMPLE, *words], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def make_sample():
    os.makedirs(SAMPLE)
    git("init", "--initial-branch=main")
    git("config", "user.name", "Sample")
    git("config", "user.email", "sample@localhost")
    for name, content, message in COMMITS:
        with open(os.path.join(SAMPLE, name), "w", encoding="utf-8") as file:
            file.write(content)
        git("add", name)
        git("commit", "--message", message)


if __name__ == "__main__":
    if SAMPLE in sys.argv and not os.path.exists(SAMPLE):
        make_sample()
    runpy.run_module("mcp_server_git", run_name="__main__", alter_sys=True)
