"""A full disk is said to be one: when the store starts, and while it runs (F-24). On a disk of two megabytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stores.embedded.test_directory import IN_OWN_MOUNTS, may_mount
from tests.stores.embedded.watched import ROOT

pytestmark = pytest.mark.skipif(not may_mount(), reason="a small disk needs Linux with user namespaces")

PROGRAM = Path(__file__).with_name("disk_program.py")


def on_a_small_disk(tmp_path: Path, case: str) -> dict[str, Any]:
    mounted = f'mount -t tmpfs -o size=2m none {tmp_path} && exec {sys.executable} "$0" {tmp_path} {case}'
    done = subprocess.run(
        # In a process namespace of its own: when the first process there ends, the kernel ends all others.
        [*IN_OWN_MOUNTS, "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", mounted, PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_start_on_a_full_disk_says_so(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, "start")
    assert told["error"] == "StoreUnavailable"
    assert "is full: No space left on device" in told["text"]


def test_a_disk_that_fills_up_refuses_changes_and_the_supervisor_says_so(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, "everysec")
    assert told["answer"].startswith("MISCONF")
    assert "cannot write its file and refuses changes" in told["log"]
    assert told["read"] == "v"
    assert told["again"] == "OK"


def test_with_fsync_always_a_full_disk_ends_the_server_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, "always")
    assert told["missing"] == 0
    assert told["error"] == "StoreUnavailable"
    assert "full" in told["text"]
