"""The files are private to one user, and are where shared memory is, or wherever there is room."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import importlib
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path

import pytest

import wsgessions.cache.off_heap as package
from tests.cache.off_heap.states import ANY, SMALL, Host, key_of, state
from wsgessions.cache.off_heap import OffHeap, directory, own_area
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.manager.store_factory import open_store
from wsgessions.settings import SessionSettings


def home_of(host: Host) -> Path:
    [home] = host.base.iterdir()
    return home


def test_directory_and_files_are_for_their_user_only(host: Host) -> None:
    """S-82."""
    before = os.umask(0)
    try:
        tier = host.tier()
    finally:
        os.umask(before)
    assert stat.S_IMODE(home_of(host).stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in host.files()] == [0o600]
    tier.close()


def test_names_cannot_be_foreseen(host: Host) -> None:
    """Nothing of user, process, store or time is in them."""
    tiers = [host.tier() for _ in range(4)]
    names = [path.name for path in host.base.iterdir()]
    assert len(set(names)) == 4
    assert all(re.fullmatch("wsgessions-[0-9a-f]{32}", name) for name in names)
    for tier in tiers:
        tier.close()
    assert list(host.base.iterdir()) == []


def test_what_others_have_put_there_is_passed_over_and_left_alone(host: Host, tmp_path: Path) -> None:
    """Neither read, nor removed, nor a reason not to start."""
    first = host.tier()
    first.put(state(1))
    [real] = host.files()
    elsewhere = tmp_path.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    shutil.copy(real, elsewhere / real.name)
    (host.base / "wsgessions-link").symlink_to(elsewhere)
    (host.base / "wsgessions-file").write_bytes(b"")
    for name, mode in (("wsgessions-open", 0o755), ("wsgessions-group", 0o770)):
        (host.base / name).mkdir()
        (host.base / name).chmod(mode)
        shutil.copy(real, host.base / name / real.name)
    second = host.tier()
    host.look(first, second)
    assert (first.siblings, second.siblings) == (1, 1)
    assert second.get_shared(key_of(1), ANY) == state(1)
    assert (elsewhere / real.name).exists()
    assert (host.base / "wsgessions-open" / real.name).exists()
    first.close()
    second.close()


def test_directories_of_another_user_are_passed_over(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if an attacker had made them first."""
    theirs = host.tier()
    stranger = os.geteuid() + 1
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: stranger)
        files = directory.WorkerFiles("store", host.base)
        assert files.names() == set()
        assert files.open_living(home_of(host).name) is None
        files.close()
    assert len(host.files()) == 1
    theirs.close()


def test_a_start_removes_what_dead_workers_left_whatever_it_was_about(host: Host) -> None:
    """Of other stores, of an older release, and of one killed before it had written."""
    living = host.tier(identity="another store")
    old = host.base / "wsgessions-0-0123456789abcdef"
    for folder, name in ((old, "123-abcdef"), (host.base / "wsgessions-dead", "of another store")):
        folder.mkdir(mode=0o700)
        (folder / name).write_bytes(b"sessions of users")
    (host.base / "wsgessions-empty").mkdir(mode=0o700)
    (host.base / "somebody-elses").mkdir(mode=0o700)
    tier = host.tier()
    assert len(host.files()) == 2
    assert {path.name for path in host.base.iterdir()} - {path.parent.name for path in host.files()} == {
        "somebody-elses"
    }
    tier.close()
    living.close()


def test_so_does_a_start_without_the_tier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "_SHARED_MEMORY", tmp_path)
    left = tmp_path / "wsgessions-dead"
    left.mkdir(mode=0o700)
    (left / "file").write_bytes(b"sessions of users")
    asyncio.run(_used_in_vain())
    assert not left.exists()


async def _used_in_vain() -> None:
    store = open_store(SessionSettings(store_url="valkey://127.0.0.1:1", max_bytes_off_heap=0))
    with pytest.raises(StoreUnavailable):
        await store.start(deadline=time.monotonic() + 0.05)
    await store.close()


def test_what_else_lies_in_directories_of_this_user_does_no_harm(host: Host) -> None:
    worker = host.tier()
    [own] = host.files()
    content = {"empty": b"", "short": bytes(100), "page": bytes(4096), "odd": bytes(5000), "left": b"nothing whole"}
    for name, bytes_ in content.items():
        (host.base / f"wsgessions-{name}").mkdir(mode=0o700)
        (host.base / f"wsgessions-{name}" / own.name).write_bytes(bytes_)
    for name in ("folder", "link"):
        (host.base / f"wsgessions-{name}").mkdir(mode=0o700)
    (host.base / "wsgessions-folder" / own.name).mkdir()
    (host.base / "wsgessions-link" / own.name).symlink_to("/etc/hostname")
    with contextlib.ExitStack() as held:
        for name in content.keys() - {"left"}:
            file = held.enter_context((host.base / f"wsgessions-{name}" / own.name).open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX)
        host.look(worker)
        assert worker.siblings == 0
        kept = {f"wsgessions-{name}" for name in (content.keys() - {"left"}) | {"folder", "link"}}
        assert {path.name for path in host.base.iterdir()} == kept | {own.parent.name}
    host.look(worker)
    assert {path.name for path in host.base.iterdir()} == {own.parent.name, "wsgessions-folder", "wsgessions-link"}
    worker.close()


def test_a_new_file_that_another_took_for_a_leftover_is_made_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making the directory and locking the file in it, a worker may start."""
    files = directory.WorkerFiles("store", host.base)
    made: list[str] = []
    locked, mkdir = directory._locked, os.mkdir

    def make_and_lose(name: str, *arguments: int, **where: int) -> None:
        mkdir(name, *arguments, **where)
        made.append(name)
        if len(made) == 1:
            directory.WorkerFiles("other", host.base).close()

    def lock_after_another(file: int) -> bool:
        if len(made) == 2:
            host.files()[0].unlink()
        return locked(file)

    monkeypatch.setattr(os, "mkdir", make_and_lose)
    monkeypatch.setattr(directory, "_locked", lock_after_another)
    name, file = files.create()
    assert made.index(name) == 2, "one lost its directory, one its file"
    assert [path.name for path in host.base.iterdir()] == [name]
    os.close(file)
    files.close()


@pytest.mark.parametrize("by", ["look", "start"])
def test_what_is_removed_stays_locked_until_it_is_gone(host: Host, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """Else a worker that is just making the file could lock it in between, and would write what no sibling finds."""
    files = directory.WorkerFiles("store", host.base)
    name, file = files.create()
    os.close(file)  # as if it were not locked yet
    unlink, could_lock = os.unlink, []

    def unlink_while_another_tries(entry: str, *, dir_fd: int) -> None:
        with open(os.open(entry, os.O_RDWR, dir_fd=dir_fd), "rb") as other:  # noqa: PTH123 - by the open directory
            could_lock.append(directory._locked(other.fileno()))
        unlink(entry, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink_while_another_tries)
    if by == "look":
        assert files.open_living(name) is None
    else:
        files.sweep()
    assert could_lock == [False]
    assert list(host.base.iterdir()) == []
    files.close()


def test_it_lies_in_shared_memory_or_else_among_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(directory, "_SHARED_MEMORY", tmp_path / "memory")
    in_memory = OffHeap(SMALL, "store")
    assert len(list((tmp_path / "memory").glob("*/*"))) == 1
    monkeypatch.setattr(directory, "_SHARED_MEMORY", tmp_path / "none")
    on_disk = OffHeap(SMALL, "store")
    assert len(list((tmp_path / "temporary").glob("*/*"))) == 1
    on_disk.put(state(1))
    assert on_disk.get_own(key_of(1)) == state(1)
    in_memory.close()
    on_disk.close()


class FullDisk:
    """Writing fails once so many bytes are written."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._pwrite = os.pwrite

    def __call__(self, file: int, data: memoryview, offset: int) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._pwrite(file, data[: self.room], offset)
        self.room -= written
        return written


def test_no_room_at_the_start_is_said_at_the_start(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", FullDisk(10_000))
    with pytest.raises(ConfigError, match=r"max_bytes_off_heap.*No space left.*more room"):
        host.tier()
    assert host.files() == []


def test_where_memory_runs_out_the_tier_stays_as_large_as_it_is(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An access to a page that cannot be had would kill the process, so none is made."""
    monkeypatch.setattr(own_area, "_STEP", 16 * 4096)
    monkeypatch.setattr(os, "pwrite", FullDisk(40 * 4096 + 100))
    worker = host.tier(max_bytes=100 * 4096)
    with caplog.at_level(logging.WARNING, "wsgessions.off_heap"):
        for number in range(200):
            worker.put(state(number, size=3000))
            assert worker.get_own(key_of(number)) == state(number, size=3000)
    [record] = caplog.records
    assert "stays at 147968 of 409600 bytes: No space left on device; give its file system more" in record.message
    assert 30 < len(worker) < 50
    worker.put(state(1, size=20_000))
    assert worker.get_own(key_of(1)) is None, "a tenth of what there is, not of what was hoped for"


def test_a_worker_that_cannot_have_a_file_after_a_fork_goes_on_without_and_says_so(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tier, sibling = host.tier(), host.tier()
    sibling.put(state(1))
    tier.begin_anew()
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "wsgessions.off_heap"):
        patched.setattr(os, "pwrite", FullDisk(10_000))
        for _ in range(5):
            host.look(tier)
    assert len(caplog.records) == 1
    assert "is not available" in caplog.text
    tier.put(state(2))
    assert tier.get_own(key_of(2)) is None
    host.look(sibling, tier)
    assert tier.get_shared(key_of(1), ANY) == state(1)
    tier.close()
    sibling.close()


def test_on_windows_the_setting_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match=r"max_bytes_off_heap.*Windows.*set it to 0"):
        importlib.reload(package)
