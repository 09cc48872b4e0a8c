"""What the embedded store's configuration is for, measured on a real one."""

from __future__ import annotations

import os
import time

from tests.embedded.conftest import MakeClient
from tests.embedded.watched import PATIENCE, Place
from wsgessions.embedded import EmbeddedServer

SESSIONS, ATTRIBUTES, VALUE = 2000, 20, 100


async def test_a_session_of_twenty_small_attributes_takes_at_most_one_and_a_half_times_its_values(
    place: Place, make_client: MakeClient
) -> None:
    """Design section 9; the record has its own fields, and each attribute the version that wrote it."""
    server = EmbeddedServer(place.path)
    client = make_client(await server.attach(deadline=time.monotonic() + PATIENCE))

    def used() -> int:
        return int(client.call("INFO", "memory").split(b"used_memory:")[1].split(b"\r\n")[0])

    before = used()
    for number in range(SESSIONS):
        words = [word for index in range(ATTRIBUTES) for word in (f"attribute{index}", os.urandom(54).hex())]
        record = ["i", "x" * 8, "v", "12", "c", "1700000000000", "t", "1800", "d", "1700000000000", "m", "x" * 64]
        client.call("HSET", f"wsg:0123abcd:{{1a2}}:s:{number:016}", *words, *record)
    assert client.call("OBJECT", "ENCODING", "wsg:0123abcd:{1a2}:s:0000000000000000") == b"listpack"
    assert (used() - before) / (SESSIONS * ATTRIBUTES * VALUE) <= 1.5
    server.detach()


async def test_sessions_of_up_to_five_hundred_attributes_stay_compact(place: Place, make_client: MakeClient) -> None:
    server = EmbeddedServer(place.path)
    client = make_client(await server.attach(deadline=time.monotonic() + PATIENCE))
    for number in range(500):
        client.call("HSET", "h", f"attribute{number}", "v" * 1000)
    assert client.call("OBJECT", "ENCODING", "h") == b"listpack"
    server.detach()
