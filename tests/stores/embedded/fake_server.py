"""A program in the place of ``valkey-server``, which plays what a real one does rarely. It runs without any package.

``ROLE``, ``COUNTER`` and ``IMPOSTOR`` are filled in when the test writes it out; the counter's file tells how often it
was started.
"""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROLE = "{role}"
COUNTER = "{counter}"
IMPOSTOR = "{impostor}"

SAID = {
    "broken": "1:M # Fatal error: something of the server's own",
    "port": "1:M # Could not create server TCP listening socket: bind: Address already in use",
}


def runs() -> int:
    with Path(COUNTER).open("ab+") as counter:
        counter.write(b".")
        return counter.tell()


def place() -> str:
    """Where this server is to listen: a path, or a port."""
    told = Path(sys.argv[1]).read_text()
    found = re.search(r'unixsocket "(.*)"', told) or re.search(r"^port ([0-9]+)", told, re.MULTILINE)
    return found[1] if found else ""


def serve(answers: Iterator[bytes]) -> None:
    path = Path(place())
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    while True:
        client, _ = listener.accept()
        if client.recv(65536):
            text = next(answers)
            client.sendall(b"+OK\r\n$%d\r\n%s\r\n" % (len(text), text))
        client.close()


def loading() -> Iterator[bytes]:
    for progress in (b"3.00", b"64.00"):
        yield b"loading:1\r\nloading_loaded_perc:" + progress
    while True:
        yield b"loading:0\r\nvalkey_version:9.0.1\r\naof_last_write_status:ok\r\n"


run = runs()
if ROLE == "usurped":  # another process is where this one should be
    with Path(COUNTER).with_name("heard").open("wb") as heard:
        subprocess.run([sys.executable, IMPOSTOR, place()], stdout=heard, check=True)
if ROLE == "silent":
    time.sleep(600)
if ROLE in SAID or (ROLE == "once" and run > 1):
    sys.exit(SAID.get(ROLE, SAID["broken"]))
serve(loading())
