"""``wsgessions config show`` tells what is in force, and where it came from, without secrets (S-79)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "kJ8xZ2vQ-mN5tR7wY1pL4sD6fG9hB3cA0eU"


def run(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WSGESSIONS_")}
    return subprocess.run(
        [sys.executable, "-m", "wsgessions", "config", *arguments],
        cwd=directory,
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_settings_are_listed_with_their_values_and_origins(tmp_path: Path) -> None:
    (tmp_path / "wsgessions.toml").write_text("[cookie]\ninsecure = true\n", encoding="utf-8")
    done = run(tmp_path, "show", "--origin", WSGESSIONS_SESSIONLOCKING="False")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()}
    assert rows["SETTING"] == ["VALUE", "ORIGIN"]
    assert rows["cookie.insecure"] == ["true", "wsgessions.toml"]
    assert rows["cookie.name"] == ["sid", "default"]
    assert rows["session_locking"] == ["false", "environment WSGESSIONS_SESSIONLOCKING"]


def test_without_the_option_there_are_no_origins(tmp_path: Path) -> None:
    done = run(tmp_path, "show")
    assert done.stdout.splitlines()[0].split() == ["SETTING", "VALUE"]
    assert "default" not in done.stdout


@pytest.mark.parametrize("options", [[], ["--origin"], ["--json"]])
def test_secrets_are_masked_in_every_form(tmp_path: Path, options: list[str]) -> None:
    url = "valkey://shop:hunter2@h:6379"
    done = run(tmp_path, "show", *options, WSGESSIONS_STORE_URL=url, WSGESSIONS_SECRETS=SECRET)
    assert "valkey://***@h:6379" in done.stdout
    for secret in ("hunter2", "shop", SECRET):
        assert secret not in done.stdout + done.stderr


def test_json_is_one_object(tmp_path: Path) -> None:
    settings = json.loads(run(tmp_path, "show", "--json").stdout)["settings"]
    assert settings["max_inactive_interval"] == {"value": "30m", "origin": "default"}


def test_a_wrong_setting_is_an_error_of_usage_without_a_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "show", WSGESSIONS_STORE_UR="memory:")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "'store_ur' (from environment WSGESSIONS_STORE_UR)" in done.stderr
    assert "did you mean 'store_url'" in done.stderr
    assert "Traceback" not in done.stderr
