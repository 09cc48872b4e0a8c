"""A cache of aiocache in the session of the request that is running."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import aiocache
import pytest

from tests.asgi_driver import Browser, respond
from wsgessions import SessionMiddleware
from wsgessions.session import Session
from wsgessions.session_cache import SessionCache
from wsgessions.web import Receive, Scope, Send
from wsgessions.web.current_session import current_session

Work = Callable[[Session], Awaitable[Any]]


def serving(work: Work, **settings: Any) -> SessionMiddleware:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await work(scope["session"])
        await respond(send, repr(answer).encode())

    return SessionMiddleware(app, store_url="memory:", **settings)


class Counting:
    """A function that is cached, and how often it was called."""

    def __init__(self, result: Any = None, **options: Any) -> None:
        self.calls = 0
        cached: Any = aiocache.cached(cache=SessionCache, **options)  # type: ignore[no-untyped-call]

        async def compute(*args: Any) -> Any:
            self.calls += 1
            return [self.calls, *args] if result is None else result

        self.ask = cached(compute)


async def logged_in(session: Session) -> None:
    session["user"] = "ada"


async def test_a_result_is_computed_once_for_each_visitor() -> None:
    counting = Counting()

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        return await counting.ask()

    app, ada, bob = serving(work), Browser(), Browser()
    assert [(await ada.request(app)).body for _ in range(3)] == [b"[1]"] * 3
    assert [(await bob.request(app)).body for _ in range(3)] == [b"[2]"] * 3
    assert (await ada.request(app)).body == b"[1]"


async def test_other_arguments_are_another_result() -> None:
    counting = Counting()

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        return [await counting.ask("tea"), await counting.ask("milk"), await counting.ask("tea")]

    assert (await Browser().request(serving(work))).body == b"[[1, 'tea'], [2, 'milk'], [1, 'tea']]"


async def test_each_reader_gets_a_copy_of_its_own() -> None:
    """K-11."""
    counting = Counting()

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        for _ in range(3):
            (await counting.ask()).append("changed")
        return await counting.ask()

    assert (await Browser().request(serving(work))).body == b"[1]"


async def test_a_result_ends_with_its_time() -> None:
    counting, browser = Counting(ttl=1000), Browser()
    cache = counting.ask.cache

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        first = await counting.ask()
        (name,) = [name for name in session if name.startswith("aiocache:")]
        written, ends, raw = session[name]
        assert ends == pytest.approx(written + 1000)
        session[name] = (written, written - 1, raw)
        return [first, await cache.exists("any"), await counting.ask()]

    assert (await browser.request(serving(work))).body == b"[[1], False, [2]]"


async def test_who_has_no_session_is_given_none_for_it() -> None:
    counting, browser = Counting(), Browser()
    response = await browser.request(serving(lambda session: counting.ask()))
    assert not response.set_cookies
    counting = Counting(creates=True)
    app = serving(lambda session: counting.ask())
    assert (await browser.request(app)).set_cookies
    assert (await browser.request(app)).body == b"[1]"


async def test_outside_of_a_request_nothing_is_kept() -> None:
    counting = Counting()
    assert [await counting.ask(), await counting.ask()] == [[1], [2]]


async def test_after_its_request_a_session_is_used_no_more() -> None:
    cache = SessionCache()

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        return await cache.set("a", 1)

    app = serving(work)
    assert (await Browser().request(app)).body == b"True"
    assert current_session() is not None
    assert await cache.get("a") is None
    assert not await cache.set("a", 2)


async def test_a_path_without_session_is_no_error() -> None:
    counting, browser = Counting(), Browser()
    app = serving(lambda session: counting.ask(), exclude=["/static"])
    await browser.request(serving(logged_in))
    assert (await browser.request(app, "/static/x")).body == b"[1]"


@pytest.mark.parametrize("result", [object(), b"x" * 70_000])
async def test_what_cannot_be_kept_is_computed_again(result: object, caplog: pytest.LogCaptureFixture) -> None:
    counting = Counting(result)

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        await counting.ask()
        await counting.ask()
        return counting.calls

    assert (await Browser().request(serving(work))).body == b"2"
    assert "xxxx" not in caplog.text


async def test_the_oldest_results_make_room() -> None:
    cache = SessionCache(max_entries=3, max_bytes=100)

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        for number in range(5):
            await cache.set(str(number), number)
        few = [await cache.exists(str(number)) for number in range(5)]
        await cache.set("large", "x" * 90)
        await cache.set("larger", "y" * 95)
        return [few, await cache.exists("large"), await cache.exists("larger"), len(session)]

    assert (await Browser().request(serving(work))).body == b"[[False, False, True, True, True], False, True, 2]"


async def test_it_does_what_every_cache_does() -> None:
    cache = SessionCache()

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        await cache.multi_set([("a", 1), ("b", 2)])
        assert await cache.multi_get(["a", "b", "c"]) == [1, 2, None]
        with pytest.raises(ValueError, match="use set"):
            await cache.add("a", 2)
        assert await cache.add("c", 3)
        assert await cache.increment("c", 2) == 5
        with pytest.raises(TypeError):
            await cache.set("d", "x")
            await cache.increment("d")
        assert await cache.delete("c") == 1
        assert await cache.delete("c") == 0
        assert not await cache.expire("c", 10)
        assert await cache.expire("a", 10)
        untyped: Any = cache
        async with aiocache.lock.OptimisticLock(untyped, "a") as lock:
            await lock.cas(7)
        assert await cache.get("a") == 7
        with pytest.raises(ValueError, match="digests"):
            await cache.clear(namespace="x")
        await cache.clear()
        return dict(session)

    assert (await Browser().request(serving(work))).body == b"{'user': 'somebody'}"


async def test_attributes_of_the_application_are_no_results() -> None:
    cache = SessionCache()

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        await cache.set("a", 1)
        (name,) = [name for name in session if name.startswith("aiocache:")]
        session[name] = "mine"
        return await cache.get("a")

    assert (await Browser().request(serving(work))).body == b"None"


async def test_stampede_locks_are_refused() -> None:
    stampede: Any = aiocache.cached_stampede(cache=SessionCache, lease=2)  # type: ignore[no-untyped-call]

    async def one() -> int:
        return 1

    compute = stampede(one)

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        with pytest.raises(TypeError, match="visitors"):
            await compute()

    await Browser().request(serving(work))


def test_who_does_not_ask_pays_nothing() -> None:
    """The middleware notes sessions only where a SessionCache was made."""
    program = (
        "import wsgessions.session_cache as m, wsgessions.web.current_session as c\n"
        "assert not c.followers\n"
        "m.SessionCache()\n"
        "assert c.followers\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_a_result_of_a_subclass_is_plain_data_for_later_readers() -> None:
    """R-02."""
    counting = Counting(OrderedDict(a=1))

    async def work(session: Session) -> Any:
        session["user"] = "somebody"
        return [type(await counting.ask()).__name__ for _ in range(2)], counting.calls

    assert (await Browser().request(serving(work))).body == b"(['OrderedDict', 'dict'], 1)"
    counting.calls = 0
    assert (await Browser().request(serving(work, strict_values=True))).body == b"(['OrderedDict', 'OrderedDict'], 2)"
