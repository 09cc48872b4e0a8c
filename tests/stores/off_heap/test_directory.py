"""The files are private to one user, and are where shared memory is, or wherever there is room."""

from __future__ import annotations

import errno
import fcntl
import importlib
import logging
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

import wsgessions.stores.off_heap as package
from tests.stores.off_heap.states import ANY, SMALL, Host, key_of, state
from wsgessions.errors import ConfigError
from wsgessions.stores.off_heap import OffHeap, directory, own_area


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


def test_a_directory_that_others_may_enter_is_refused(host: Host) -> None:
    host.tier().close()
    home_of(host).chmod(0o755)
    with pytest.raises(ConfigError, match=r"max_bytes_off_heap.*with mode 755.*have it removed"):
        host.tier()


def test_a_directory_of_another_user_is_refused(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(ConfigError, match=f"user {stranger - 1}'s"):
        host.tier()


def test_what_is_no_directory_is_refused(host: Host) -> None:
    host.tier().close()
    home = home_of(host)
    home.rename(host.base.with_name("elsewhere"))
    home.symlink_to(host.base.with_name("elsewhere"))
    with pytest.raises(ConfigError, match="max_bytes_off_heap"):
        host.tier()
    home.unlink()
    home.write_bytes(b"")
    with pytest.raises(ConfigError, match="not a directory"):
        host.tier()


def test_what_else_lies_in_the_directory_does_no_harm(host: Host) -> None:
    worker = host.tier()
    home = home_of(host)
    (home / "folder").mkdir()
    (home / "link").symlink_to("/etc/hostname")
    (home / "left").write_bytes(b"by a worker that died before it had written anything")
    held = {"empty": b"", "short": bytes(100), "page": bytes(4096), "odd": bytes(5000)}
    files = []
    for name, content in held.items():
        (home / name).write_bytes(content)
        files.append((home / name).open("rb"))
        fcntl.flock(files[-1], fcntl.LOCK_EX)
    host.look(worker)
    assert worker.siblings == 0
    assert {path.name for path in home.iterdir()} >= {"folder", "link", *held}
    assert not (home / "left").exists()
    for file in files:
        file.close()
    host.look(worker)
    assert len(host.files()) == 2, "its own and what the link leads to"
    worker.close()


def test_a_new_file_that_somebody_took_for_a_leftover_is_made_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making it and locking it, a sibling may look."""
    home = directory.FileDirectory("store", host.base)
    attempts: list[Path] = []
    locked = directory._locked

    def lock_after_another(file: int) -> bool:
        if not attempts:
            attempts.extend(host.files())
            attempts[0].unlink()
        return locked(file)

    monkeypatch.setattr(directory, "_locked", lock_after_another)
    name, file = home.create()
    assert [path.name for path in host.files()] == [name]
    assert attempts[0].name != name
    os.close(file)
    home.close()


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
    tier._begin_anew()
    home_of(host).chmod(0o755)
    with caplog.at_level(logging.WARNING, "wsgessions.off_heap"):
        for _ in range(5):
            host.look(tier)
    assert len(caplog.records) == 1
    assert "is not to be had" in caplog.text
    tier.put(state(2))
    assert tier.get_own(key_of(2)) is None
    home_of(host).chmod(0o700)
    host.look(sibling, tier)
    assert tier.get_shared(key_of(1), ANY) == state(1)
    tier.close()
    sibling.close()


def test_on_windows_the_setting_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match=r"max_bytes_off_heap.*Windows.*set it to 0"):
        importlib.reload(package)
