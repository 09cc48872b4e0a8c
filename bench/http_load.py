"""Requests per second under uvicorn, one worker, driven by wrk with 32 connections, each with a session of its own."""

from __future__ import annotations

import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wsgessions.embedded.configuration import free_port

from .subjects import SUBJECTS, Subject

__all__ = ["Rate", "measure"]

CONNECTIONS = 32
ROUTES = ("/read", "/write")

_COOKIE_SCRIPT = """
local cookies = {%s}
local turn = 0
request = function()
  turn = turn %% #cookies + 1
  return wrk.format("GET", nil, {["Cookie"] = cookies[turn]})
end
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second, and their share of what the same framework's application without sessions serves."""

    subject: str
    read: float
    write: float
    read_share: float
    write_share: float


def measure(store_url: str, workdir: Path, *, seconds: int, rounds: int) -> list[Rate]:
    """Measure all subjects, each beside its bare application.

    Raises:
        RuntimeError: wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not installed; on Debian: apt-get install wrk")
    return [
        _rate(subject, store_url, workdir, seconds, rounds)
        for subject in SUBJECTS.values()
        if subject.name != subject.bare
    ]


def _rate(subject: Subject, store_url: str, workdir: Path, seconds: int, rounds: int) -> Rate:
    with _server(subject.name, store_url) as port, _server(subject.bare, store_url) as bare_port:
        script = workdir / "cookies.lua"
        script.write_text(_COOKIE_SCRIPT % ", ".join(json.dumps(_login(port)) for _ in range(CONNECTIONS)))
        samples: dict[str, list[tuple[float, float]]] = {route: [] for route in ROUTES}
        for _ in range(rounds):
            for route in ROUTES:
                bare = _wrk(bare_port, route, seconds, script)
                rate = _wrk(port, route, seconds, script)
                samples[route].append((rate, rate / bare))
    (read, read_share), (write, write_share) = (
        map(statistics.median, zip(*samples[route], strict=True)) for route in ROUTES
    )
    return Rate(subject.name, read, write, read_share, write_share)


def _login(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/fill/20") as response:
        cookies = response.headers.get_all("Set-Cookie") or []
    return "; ".join(cookie.partition(";")[0] for cookie in cookies)


def _wrk(port: int, route: str, seconds: int, script: Path) -> float:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}{route}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"{route} did not answer 200 throughout:\n{output}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if found is None:
        raise RuntimeError(f"wrk printed no rate:\n{output}")
    return float(found[1])


@contextmanager
def _server(name: str, store_url: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.worker", name, store_url, str(port)])
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not come up in 10 s")
