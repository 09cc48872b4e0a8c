"""Workers are real processes here; they are stopped, killed and forked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache.off_heap.states import ANY, SMALL, Host, key_of, state
from tests.stores.embedded.watched import wait_until
from wsgessions.cache.lease import lease_clock
from wsgessions.cache.off_heap import OffHeap
from wsgessions.record import SessionRecord

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
LEASE = 0.5
WRITERS = 200
SECONDS = 15.0


def command(program: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"tests.cache.off_heap.{program}", *map(str, arguments)]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        command("worker_program", tmp_path, LEASE), cwd=ROOT, stdin=subprocess.PIPE, process_group=0
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[OffHeap]:
    tier = OffHeap(SMALL, "store", directory=tmp_path)
    yield tier
    tier.close()


def shared(tier: OffHeap) -> SessionRecord | None:
    tier.renew(lease_clock() + LEASE)
    return tier.get_shared(key_of(1), ANY)


def test_what_a_killed_writer_leaves_is_whole_or_not_used(tmp_path: Path) -> None:
    done = subprocess.run(
        command("killed_writers_program", tmp_path, WRITERS, SECONDS), cwd=ROOT, capture_output=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["read"] > told["killed"] > 0
    assert done.stderr == b""


def test_a_worker_that_is_stopped_is_trusted_until_its_lease_ends_and_blocks_nobody(
    worker: subprocess.Popen[bytes], reader: OffHeap
) -> None:
    """C-4."""
    wait_until(lambda: shared(reader) == state(1), "the worker's entry")
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: shared(reader) is None, "the end of its lease")
    assert reader.siblings == 1, "it is stopped, not dead"
    reader.put(state(2))
    assert reader.get_own(key_of(2)) == state(2)
    os.kill(worker.pid, signal.SIGCONT)
    wait_until(lambda: shared(reader) == state(1), "its next heartbeat")


def test_a_dead_workers_file_is_removed_and_its_successor_begins_with_nothing(
    host: Host, worker: subprocess.Popen[bytes], reader: OffHeap
) -> None:
    wait_until(lambda: shared(reader) == state(1), "the worker's entry")
    worker.kill()
    worker.wait()
    successor = OffHeap(SMALL, "store", directory=host.base)
    assert successor.get_own(key_of(1)) is None
    assert len(host.files()) == 2, "that of the dead was removed by the one that started"
    wait_until(lambda: shared(reader) is None and reader.siblings == 1, "the others to notice")
    successor.close()


def test_a_child_does_not_keep_the_file_of_its_dead_parent_alive(host: Host) -> None:
    with subprocess.Popen(command("orphan_program", host.base), cwd=ROOT, stdin=subprocess.PIPE) as parent:
        assert parent.wait() == 0
        [left] = host.files()
        wait_until(lambda: _removed_by_a_newcomer(host, left), "the end of the lock")


def _removed_by_a_newcomer(host: Host, left: Path) -> bool:
    OffHeap(SMALL, "store", directory=host.base).close()
    return not left.exists()


def test_a_worker_that_ends_in_order_takes_its_file_with_it(
    host: Host, worker: subprocess.Popen[bytes], reader: OffHeap
) -> None:
    wait_until(lambda: shared(reader) == state(1), "the worker's entry")
    worker.communicate()
    assert len(host.files()) == 1
    assert shared(reader) is None
