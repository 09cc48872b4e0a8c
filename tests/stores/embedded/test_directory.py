"""S-82: the store's directory is private, or it is not used."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.embedded.watched import ROOT
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.stores.embedded.directory import StoreDirectory, disk_trouble
from wsgessions.stores.embedded.private_files import read_private, write_private

OTHER_USER = 12345
IN_OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount() -> bool:
    try:
        return subprocess.run([*IN_OWN_MOUNTS, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def mode(path: Path) -> int:
    return path.stat(follow_symlinks=False).st_mode & 0o777


def test_a_missing_directory_is_made_private_with_its_parents(tmp_path: Path) -> None:
    StoreDirectory(tmp_path / "a" / "b").prepare()
    assert mode(tmp_path / "a" / "b") == 0o700


def test_it_keeps_itself_out_of_version_control(tmp_path: Path) -> None:
    StoreDirectory(tmp_path / "store").prepare()
    assert (tmp_path / "store" / ".gitignore").read_text() == "*\n"


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    directory = StoreDirectory(tmp_path / "store")
    directory.prepare()
    before = sorted((path.name, path.stat().st_mtime_ns) for path in directory.path.iterdir())
    directory.prepare()
    assert sorted((path.name, path.stat().st_mtime_ns) for path in directory.path.iterdir()) == before


def test_an_empty_directory_of_ours_is_taken_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.mkdir(0o755)
    StoreDirectory(path).prepare()
    assert mode(path) == 0o700


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match="symbolic link"):
        StoreDirectory(tmp_path / "link").prepare()


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="cannot be the store's directory"):
        StoreDirectory(tmp_path / "link").prepare()


@pytest.mark.parametrize("bits", [0o777, 0o1777, 0o720, 0o702])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "store"
    path.mkdir()
    path.chmod(bits)
    with pytest.raises(ConfigError, match=r"written by other users .*chmod 700"):
        StoreDirectory(path).prepare()


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(ConfigError, match=f"belongs to user {os.getuid()}, not to user {OTHER_USER}"):
        StoreDirectory(tmp_path / "store").prepare()


def test_a_directory_with_other_files_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir(0o755)
    (path / "letter.txt").touch()
    with pytest.raises(ConfigError, match="holds other files"):
        StoreDirectory(path).prepare()
    assert mode(path) == 0o755
    assert [file.name for file in path.iterdir()] == ["letter.txt"]


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    with pytest.raises(ConfigError, match="cannot be the store's directory"):
        StoreDirectory(tmp_path / "store").prepare()


def test_a_relative_path_is_fixed_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    directory = StoreDirectory(".wsgessions")
    monkeypatch.chdir("/")
    directory.prepare()
    assert (tmp_path / ".wsgessions").is_dir()


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StoreDirectory("~/store").path == tmp_path / "store"


@pytest.mark.skipif(not may_mount(), reason="mounting needs Linux with user namespaces")
def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    program = (
        "import sys; from wsgessions.stores.embedded.directory import StoreDirectory\n"
        "from wsgessions.errors import ConfigError\n"
        "try: StoreDirectory(sys.argv[1]).prepare()\n"
        "except ConfigError as error: print(error)"
    )
    mounted = f'mount -t tmpfs -o ro none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}/store'
    done = subprocess.run(
        [*IN_OWN_MOUNTS, "sh", "-c", mounted, program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "cannot be written: Read-only file system" in done.stdout, done.stderr
    assert "WSGESSIONS_STORE_URL=embedded:/path/of/your/own" in done.stdout


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_mistake_in_the_settings(number: int) -> None:
    error = disk_trouble(OSError(number, os.strerror(number)), Path("/somewhere"))
    assert isinstance(error, StoreUnavailable)
    assert "disk of /somewhere is full" in str(error)


def test_any_other_trouble_is_told_in_the_systems_words() -> None:
    error = disk_trouble(OSError(errno.EIO, "Input/output error", "/somewhere/file"), Path("/somewhere"))
    assert str(error) == "/somewhere/file: Input/output error"


def test_a_private_file_is_written_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    write_private(tmp_path / "f", b"one")
    write_private(tmp_path / "f", b"two")
    assert read_private(tmp_path / "f") == b"two"
    assert mode(tmp_path / "f") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_missing_private_file_reads_as_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "f") is None


def test_a_private_file_that_others_may_read_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "f").touch(0o600)
    (tmp_path / "f").chmod(0o640)
    with pytest.raises(ConfigError, match="readable or writable by others"):
        read_private(tmp_path / "f")


def test_a_private_file_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private(tmp_path / "f", b"")
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(ConfigError, match="owned by user"):
        read_private(tmp_path / "f")


def test_a_link_or_a_pipe_in_the_place_of_a_private_file_is_not_followed(tmp_path: Path) -> None:
    write_private(tmp_path / "real", b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="link is"):
        read_private(tmp_path / "link")
    with pytest.raises(ConfigError, match="not a plain file"):
        read_private(tmp_path / "pipe")


def test_a_draft_that_cannot_be_finished_is_removed(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "f", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
