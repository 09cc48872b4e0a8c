"""Values of ended sessions leave the server's file in a bounded time."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stores.embedded.conftest import MakeClient, Supervise
from tests.stores.embedded.watched import Place, wait_until
from wsgessions.stores.embedded.binary import find_server
from wsgessions.stores.embedded.directory import StoreDirectory
from wsgessions.stores.embedded.rewriting import Rewriting

ADDED_TO = {"aof_current_size": "2000", "aof_base_size": "1000"}
AS_WRITTEN = {"aof_current_size": "1000", "aof_base_size": "1000"}


def holders(place: Place, value: bytes) -> list[str]:
    files = [file for file in place.directory.data.rglob("*") if file.is_file()]
    return [file.name for file in files if value in file.read_bytes()]


def test_a_removed_value_leaves_every_file_of_the_store(
    supervise: Supervise, place: Place, make_client: MakeClient
) -> None:
    watched = supervise(find_server(), health_interval=0.05, rewrite_interval=0.0)
    watched.next("ready")
    client = make_client(place.connection().endpoint())
    client.call("HSET", "wsg:x", "secret", "canary-of-a-session")
    client.call("UNLINK", "wsg:x")
    wait_until(lambda: not holders(place, b"canary-of-a-session"), "the end of the value on the disk")


def test_without_a_rewrite_it_would_stay(supervise: Supervise, place: Place, make_client: MakeClient) -> None:
    """What the test above relies on: the server itself leaves a small file as it is."""
    supervise(find_server(), health_interval=0.05).next("ready")
    client = make_client(place.connection().endpoint())
    client.call("HSET", "wsg:x", "secret", "canary-of-a-session")
    client.call("UNLINK", "wsg:x")
    wait_until(lambda: holders(place, b"canary-of-a-session"), "the value on the disk")


class Noted:
    """An engine and an observer that note what they are told."""

    def __init__(self) -> None:
        self.rewrites = 0
        self.troubles: list[str] = []

    def rewrite(self) -> None:
        self.rewrites += 1

    def trouble(self, note: str) -> None:
        self.troubles.append(note)


def rewriting_of(tmp_path: Path, noted: Any, *, age: float, interval: float = 3600.0) -> Rewriting:
    """Of a store whose file was written so many seconds ago; -1 for no file."""
    directory = StoreDirectory(tmp_path)
    files = directory.data / "appendonlydir"
    files.mkdir(parents=True, exist_ok=True)
    if age >= 0:
        base = files / "appendonly.aof.1.base.rdb"
        base.touch()
        os.utime(base, (time.time() - age,) * 2)
    return Rewriting(directory, noted, interval)


@pytest.mark.parametrize(
    ("age", "told", "rewrites"),
    [(4000, ADDED_TO, 1), (3000, ADDED_TO, 0), (4000, AS_WRITTEN, 0), (-1, ADDED_TO, 0), (4000, {}, 0)],
)
def test_a_file_is_rewritten_that_is_old_and_was_added_to(
    tmp_path: Path, age: float, told: dict[str, str], rewrites: int
) -> None:
    """By the file's own age: neither a new server nor a new supervisor makes it young."""
    noted: Any = Noted()
    rewriting = rewriting_of(tmp_path, noted, age=age)
    for _ in range(3):
        rewriting.look(noted, told)
    assert noted.rewrites == rewrites, "and not again at once, if that was in vain"


def test_without_room_for_a_second_file_it_stays_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: Any = Noted()
    rewriting = rewriting_of(tmp_path, noted, age=10, interval=0.0)
    free = shutil.disk_usage(tmp_path).free
    for _ in range(2):
        rewriting.look(noted, ADDED_TO | {"aof_current_size": str(2 * free)})
    assert (noted.rewrites, len(noted.troubles)) == (0, 1)
    assert "no room for a second one: values of ended sessions stay in it" in noted.troubles[0]
    rewriting.look(noted, ADDED_TO)
    assert noted.rewrites == 1
    assert noted.troubles[1].endswith("the disk has room again")
