"""The texts of scripts."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from wsgessions.stores.valkey.client.script import Script
from wsgessions.stores.valkey.format import session_scripts

ALL: list[Script] = [getattr(session_scripts, name) for name in session_scripts.__all__]


@pytest.mark.parametrize("script", ALL, ids=lambda script: script.name)
def test_constants_have_names_in_the_files_and_not_at_the_server(script: Script) -> None:
    """Each name would make every function that uses it slower to make, which the server does with each call."""
    code = re.sub(r"--.*|'[^']*'", "", script.source)
    assert set(re.findall(r"(?<!redis\.)\b[A-Z][A-Z_]+\b", code)) <= {"KEYS", "ARGV"}


def test_the_lines_of_a_script_are_those_of_its_files() -> None:
    """The server tells the line of an error."""
    folder = resources.files("wsgessions.stores.valkey") / "scripts"
    files = [folder.joinpath(f"{name}.lua").read_text() for name in ("create", "clock", "record", "in_parts")]
    assert session_scripts.CREATE.source.count("\n") == "".join(files).count("\n")
