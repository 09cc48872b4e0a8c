"""How long the way of a request is, in functions, files and coroutines: `ratchets.toml` has the figures."""

from __future__ import annotations

import asyncio
import functools

import pytest

from tests.architecture import request_path
from tests.architecture.frames import Trace
from tests.architecture.ratchets import differences
from tests.architecture.request_path_page import PAGE, with_trace
from tests.asgi_driver import Browser, respond
from wsgessions import codec
from wsgessions.codec import containers
from wsgessions.credentials import identity
from wsgessions.middleware import SessionMiddleware
from wsgessions.web import Receive, Scope, Send


@functools.cache
def traces() -> dict[str, Trace]:
    return request_path.traces()


@pytest.mark.parametrize("event", ["hot read", "write", "push"])
def test_the_way_is_as_long_as_recorded(event: str) -> None:
    wrong = differences(f"path of a {event}", traces()[event].figures)
    assert not wrong, "\n".join([*wrong, "`./dev shell python -m tests.architecture.request_path` shows all of it"])


def test_the_page_shows_what_runs() -> None:
    """`./dev shell python -m tests.architecture.request_path_page` writes it anew."""
    page = PAGE.read_text()
    assert page == with_trace(page, traces()["hot read"])


# -- the measure -------------------------------------------------------------------------------------------------------


def test_functions_of_others_are_not_counted() -> None:
    trace = Trace()
    with trace.recording():
        functools.reduce(lambda one, other: one + other, range(9))
    assert trace.frames == []


def test_a_function_counts_in_the_file_and_at_the_depth_where_it_runs() -> None:
    trace = Trace()
    with trace.recording():
        codec.decode(b"\x91\x01", name="a")
    shown = [(frame.depth, frame.file, frame.function) for frame in trace.frames]
    assert shown[:2] == [(0, "codec/__init__.py", "decode"), (1, "codec/__init__.py", "_check_container")]


def test_comprehensions_do_not_count() -> None:
    """Python 3.11 runs them as functions, later ones do not."""
    packer = containers.Packer()
    trace = Trace()
    with trace.recording():
        packer.sequence([], 1)
    assert [frame.function for frame in trace.frames] == ["Walk.sequence"]


async def test_a_coroutine_counts_once_however_often_it_waits() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await respond(send)

    app = SessionMiddleware(slow, store_url="memory:")
    trace = Trace()
    with trace.recording():
        await Browser().request(app)
    names = [frame.function for frame in trace.frames if frame.is_coroutine]
    assert names.count("SessionMiddleware.__call__") == 1


def test_the_figures_count_frames_files_and_changes_of_file() -> None:
    trace = Trace()
    with trace.recording():
        identity.new_session_id()
        codec.decode(b"\x01", name="a")
        identity.new_session_id()
    files = [frame.file for frame in trace.frames]
    assert trace.figures["frames"] == len(files)
    assert trace.figures["files"] == len(set(files))
    assert trace.figures["changes of file"] >= 2
    assert trace.figures["nested coroutines"] == 0
