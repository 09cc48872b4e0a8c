"""Error replies become errors that say what to do and repeat nothing that was sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.stores.valkey.client.replies import server_error


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("OOM command not allowed", "OOM", "maxmemory"),
        ("ERR no such thing", "ERR", "no such thing"),
        ("something without a code", "ERR", "something without a code"),
        ("", "ERR", "refused"),
        ("MY_CODE2 of a script", "MY_CODE2", "of a script"),
        ("NOPERM User app has no permissions", "NOPERM", "allow the store's user"),
    ],
)
def test_the_servers_code_is_kept_and_the_remedy_told(text: str, code: str, said: str) -> None:
    error = server_error(text)
    assert error.server_code == code
    assert said in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'user' 's3cr3t' ",
        "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `s3cr3t`, ",
        "ERR unknown subcommand, with args beginning with: a\ns3cr3t",
    ],
)
def test_quoted_arguments_are_left_out(text: str) -> None:
    assert "s3cr3t" not in str(server_error(text))


@given(st.text())
def test_any_text_becomes_one_printable_line_of_bounded_length(text: str) -> None:
    shown = str(server_error(text))
    assert shown.isprintable()
    assert len(shown) < 1000
