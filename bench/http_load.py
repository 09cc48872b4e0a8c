"""Requests per second under uvicorn with 1, 2 and 4 workers, driven by wrk with 32 connections."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from wsgessions.stores.embedded.configuration import free_port

from .run import Run
from .section import Section, Value, table
from .store_statistics import Work
from .subjects import SUBJECTS, Subject

__all__ = ["measure"]

CONNECTIONS: Final = 32
WORKERS: Final = (1, 2, 4)
ROUTES: Final = ("/read", "/write")
_TICKS: Final = os.sysconf("SC_CLK_TCK")

_COOKIE_SCRIPT: Final = """
local cookies = {%s}
local turn = 0
request = function()
  turn = turn %% #cookies + 1
  return wrk.format("GET", nil, {["Cookie"] = cookies[turn]})
end
"""

_TEXT: Final = f"""uvicorn (uvloop, httptools), driven by wrk with {CONNECTIONS} connections and as many sessions in
rotation; the load generator, the store and all workers share the cores. *Share* is the ratio to the requests per second
of the same framework's application without sessions, measured immediately before; all figures are medians of five
rounds. *CPU* is that of the server's processes and of the store for one request. wrk keeps no cookies but repeats those
of the login; it sends any session to any worker, so with several workers nearly every write is one after a hop, and two
requests of one session may run at the same time. The store's statistics show that hot reads send it no commands; the
commands in that column are heartbeats and touches, also of servers that wait for their turn."""


class _Load(NamedTuple):
    """One run of wrk."""

    rate: float
    server_cpu: float
    """Microseconds per request, all workers together."""
    store_cpu: float
    commands: float
    """Commands of the store per request, those within scripts included."""
    share: float | None = None
    """Of the requests per second of the bare application, just before."""


@dataclass
class _Server:
    subject: Subject
    port: int
    process: subprocess.Popen[bytes]
    loads: dict[str, list[_Load]] = field(default_factory=lambda: {route: [] for route in ROUTES})


def measure(run: Run) -> list[Section]:
    """Measure all subjects with each number of workers, in turn with their bare applications.

    Raises:
        RuntimeError: wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not installed; on Debian: apt-get install wrk")
    rows = [row for workers in run.choose(quick=WORKERS[:2], full=WORKERS) for row in _measure(run, workers)]
    head = (
        "", "workers", "req/s, read", "req/s, write", "share, read", "share, write",
        "CPU, read (us)", "CPU, write (us)", "store's CPU, write (us)", "store commands, read", "write",
    )  # fmt: skip
    targets = "Targets for one worker: 0.85 of the requests per second for a hot read, 0.4 for a write."
    return [Section("Requests per second under load", "\n\n".join([_TEXT, targets, table(head, rows)]))]


def _measure(run: Run, workers: int) -> list[list[Value]]:
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(_server(subject, run.store_url, workers)) for name, subject in SUBJECTS.items()
        }
        for server in servers.values():
            _load(server, "/read", run)
        for route in ROUTES * run.choose(quick=1, full=5):
            for server in servers.values():
                bare = servers[server.subject.bare]
                if server is not bare:
                    bare_load = _load(bare, route, run)
                    bare.loads[route].append(bare_load)
                    load = _load(server, route, run)
                    server.loads[route].append(load._replace(share=load.rate / bare_load.rate))
        return [_row(server, workers) for server in servers.values()]


def _row(server: _Server, workers: int) -> list[Value]:
    def middle(route: str, what: str) -> float | None:
        values = [getattr(load, what) for load in server.loads[route]]
        return None if None in values else statistics.median(values)

    read, write = ROUTES
    stored = server.subject.uses_store
    return [
        server.subject.name,
        workers,
        *(middle(route, what) for what in ("rate", "share", "server_cpu") for route in ROUTES),
        *((middle(write, "store_cpu"), middle(read, "commands"), middle(write, "commands")) if stored else [None] * 3),
    ]


# -- one run of wrk ----------------------------------------------------------------------------------------------------


def _load(server: _Server, route: str, run: Run, seconds: int = 1) -> _Load:
    script = run.folder / "cookies.lua"
    # New sessions each time: wrk would continue with the watermarks from before the last writes.
    bare = server.subject.name == server.subject.bare
    cookies = [f"session={'0' * 40}" if bare else _login(server.port) for _ in range(CONNECTIONS)]
    script.write_text(_COOKIE_SCRIPT % ", ".join(map(json.dumps, cookies)))
    for cookie in cookies * 2:  # so that most workers have copies of most sessions
        _get(server.port, "/read", cookie)
    before, cpu = Work.so_far(run.store_url), _cpu_of(server.process.pid)
    requests, rate = _wrk(server.port, route, seconds, script)
    cpu, work = _cpu_of(server.process.pid) - cpu, Work.so_far(run.store_url).since(before)
    return _Load(rate, cpu / requests * 1e6, work.cpu / requests * 1e6, work.commands.total() / requests)


def _get(port: int, path: str, cookie: str = "") -> list[str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(request) as response:  # noqa: S310 - our own server
        return response.headers.get_all("Set-Cookie") or []


def _login(port: int) -> str:
    return "; ".join(cookie.partition(";")[0] for cookie in _get(port, "/fill/20"))


def _wrk(port: int, route: str, seconds: int, script: Path) -> tuple[int, float]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}{route}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"{route} did not answer 200 throughout:\n{output}")
    found = re.search(r"(\d+) requests in .*Requests/sec:\s+([\d.]+)", output, re.DOTALL)
    if found is None:
        raise RuntimeError(f"wrk printed no rate:\n{output}")
    return int(found[1]), float(found[2])


def _cpu_of(pid: int) -> float:
    """Seconds of CPU time that a process and its children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / _TICKS + sum(_cpu_of(int(child)) for child in children)


# -- servers -----------------------------------------------------------------------------------------------------------


@contextmanager
def _server(subject: Subject, store_url: str, workers: int) -> Iterator[_Server]:
    port = free_port()
    command = [sys.executable, "-m", "bench.worker", subject.name, store_url, str(port), str(workers)]
    process = subprocess.Popen(command)
    try:
        _wait_for(port, process)
        yield _Server(subject, port, process)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not come up in 20 s")
