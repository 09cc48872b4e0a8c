"""A process that uses the embedded store of a directory as it is told on stdin, and answers in JSON.

Its answers hold the password: it is the test's own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
import time

from wsgessions.errors import WsgessionsError
from wsgessions.stores.embedded import EmbeddedServer, Endpoint, FsyncPolicy


def told(endpoint: Endpoint) -> dict[str, object]:
    fields = {field.name: getattr(endpoint, field.name) for field in dataclasses.fields(endpoint)}
    return fields | {"password": endpoint.password.reveal()}


def attempt(server: EmbeddedServer) -> object:
    try:
        return told(asyncio.run(server.attach(deadline=time.monotonic() + 25)))
    except WsgessionsError as error:
        return {"error": type(error).__name__, "text": str(error)}


def main() -> None:
    # As in a terminal, although whoever started the tests in the background has told all of them to ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place, fsync, *port = [*sys.argv[1:], "everysec"][:3] if len(sys.argv) == 2 else sys.argv[1:]
    server = EmbeddedServer(place, fsync=FsyncPolicy(fsync), port=int(port[0]) if port else None)
    for line in sys.stdin:
        order = line.strip()
        answer: object = True
        if order == "attach":
            answer = attempt(server)
        elif order == "detach":
            server.detach()
        elif order == "fork":
            child = os.fork()
            if child:
                answer = child
            else:
                os.close(0)
                os.close(1)
                while True:  # until it is killed: a worker that only lives
                    time.sleep(60)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
