"""The skeleton of the command: global options, exit codes and what is said when something is missing."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import MakeCommand
from wsgessions import __version__
from wsgessions.cli import main
from wsgessions.cli.exit_code import ExitCode
from wsgessions.errors import ConfigError, NonStopTimeout, SessionGone, StoreUnavailable, WsgessionsError


def test_it_tells_its_version(wsgessions: MakeCommand) -> None:
    assert wsgessions("--version").ended() == (0, f"wsgessions {__version__}\n", "")


def test_help_lists_every_sub_command(wsgessions: MakeCommand) -> None:
    code, out, _ = wsgessions("--help").ended()
    assert code == 0
    assert all(f" {name} " in out for name in ("server", "cart", "config", "adapters"))


def test_without_a_sub_command_it_shows_help_and_counts_it_as_wrong_usage(wsgessions: MakeCommand) -> None:
    code, out, err = wsgessions().ended()
    assert code == ExitCode.USAGE
    assert "Usage: wsgessions" in out + err


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["server", "--port", "0"], ["server", "--port", "x"]]
)
def test_wrong_usage_has_its_own_exit_code(wsgessions: MakeCommand, arguments: list[str]) -> None:
    assert wsgessions(*arguments).ended()[0] == ExitCode.USAGE


def test_colours_can_be_switched_off(wsgessions: MakeCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in wsgessions("--help").ended()[1]
    plain = wsgessions("--no-color", "--help").ended()[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert plain == wsgessions("--help").ended()[1]
    assert not any(f"\x1b[{color}m" in plain for color in range(30, 48))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("no", setting="adapter"), ExitCode.USAGE),
        (StoreUnavailable("no"), ExitCode.UNREACHABLE),
        (NonStopTimeout("no"), ExitCode.UNREACHABLE),
        (SessionGone("no"), ExitCode.FAILURE),
    ],
)
def test_an_error_has_an_exit_code_by_its_kind(error: WsgessionsError, code: ExitCode) -> None:
    assert ExitCode.of(error) is code


def test_exit_codes_are_fixed() -> None:
    """Scripts rely on them (experience.md 4.3)."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "NOT_FOUND": 4,
    }


def test_without_its_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.FAILURE
    assert "pip install 'wsgessions[cli]'" in capsys.readouterr().err
