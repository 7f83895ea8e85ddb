"""Processes that are started for a check, on free ports of the loopback address, and ended with it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

running = []


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(name, command, folder, environment=None):
    """Starts a program whose output goes to a file, which is shown when something fails."""
    with open(os.path.join(folder, f"{name}.log"), "ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    process.name, process.log = name, log.name
    running.append(process)
    return process


def stop(process, within=15):
    """Ends a program as an operator would, and returns its exit code."""
    process.terminate()
    code = process.wait(within)
    running.remove(process)
    return code


def kill(process):
    process.kill()
    process.wait()
    running.remove(process)


def stop_all():
    for process in reversed(running):
        process.terminate()
    for process in running:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def wait(what, ask, within=20):
    """Waits for a condition."""
    until, last = time.monotonic() + within, None
    while time.monotonic() < until:
        for process in running:
            if process.poll() is not None:
                fail(f"{process.name} ended with {process.returncode} while waiting for {what}")
        try:
            if result := ask():
                return result
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.05)
    fail(f"{what}: not within {within} s; {last or ''}")


def get(url, headers=None):
    """Returns status and body."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def fail(text):
    print(f"check-ops: {text}", file=sys.stderr)
    for process in running:
        with open(process.log, encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()[-8:]
        if lines:
            print(f"--- {process.name}", *lines, sep="\n", file=sys.stderr)
    stop_all()
    sys.exit(1)
