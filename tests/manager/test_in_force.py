"""The start says in one line what is in force, and settings that must be alike are compared in the store."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import SessionManager
from wsgessions.errors import ConfigError
from wsgessions.internal.last_resort import START_LOGGER

__all__ = ["shared_server"]

PEPPER = "0N7rXq2v9mKcUe5TzYbGs8WfLp3HdJaR4Qi6"
_namespaces = itertools.count()

OTHER_PEPPER = "Zk4uB1xQe7TnVw9YdGmR2sLhPc8JfA5oXi3N"


async def test_the_start_says_once_and_in_one_line_what_is_in_force(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=START_LOGGER)
    manager = SessionManager(store_url="memory:", namespace="shop", context_path="/cart", max_inactive_interval="20min")
    for _ in range(2):
        await manager.start()
        async with manager.open(None) as session:
            session["a"] = 1
        await manager.close()
    (line,) = [record.getMessage() for record in caplog.records if record.name == START_LOGGER]
    for fact in (
        "store memory:",
        "namespace shop",
        "context /cart",
        "over plain http)",
        "idle timeout 20m",
        "env development",
    ):
        assert fact in line


async def start(url: str, namespace: str, **settings: Any) -> None:
    manager = SessionManager(store_url=url, namespace=namespace, **settings)
    try:
        await manager.start()
    finally:
        await manager.close()


@pytest.mark.parametrize(
    ("setting", "first", "second"),
    [("pepper", PEPPER, OTHER_PEPPER), ("pepper", PEPPER, None), ("id_length", 43, 64)],
    ids=["two peppers", "one without", "two lengths"],
)
async def test_a_server_with_another_value_than_the_first_does_not_start(
    shared_server: RawServer, setting: str, first: Any, second: Any
) -> None:
    """They would not find each other's sessions, and no visitor would stay logged in."""
    namespace = f"alike{next(_namespaces)}"
    for _ in range(2):
        await start(shared_server.url, namespace, **{setting: first})
    with pytest.raises(ConfigError) as refused:
        await start(shared_server.url, namespace, **{setting: second})
    assert refused.value.setting == setting
    assert "the same" in (refused.value.hint or "")
    await start(shared_server.url, f"{namespace}b", **{setting: second})
