"""Asks a store, and visits running servers as one browser would: for ``wsgessions doctor``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http.cookies import Morsel, SimpleCookie
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

if TYPE_CHECKING:
    from ..manager import SessionManager
    from ..settings import SessionSettings
    from ..store.alike import Comparison

__all__ = ["Finding", "ask_store", "examine_settings", "visit"]

_PATIENCE: Final = 5.0
_SCHEMES: Final = frozenset({"http", "https"})


class Finding(NamedTuple):
    """One line of the output."""

    verdict: str
    """``ok``, ``warn`` or ``fail``."""
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:<4}  {self.text}" + (f"\n      {self.remedy}" if self.remedy else "")


def examine_settings(settings: SessionSettings) -> Finding:
    """Say what is in force; the settings are valid, or there would be none."""
    from ..manager.in_force import what_is_in_force

    return Finding("ok", f"the settings are valid: {what_is_in_force(settings)}")


async def ask_store(manager: SessionManager, *, deadline: float) -> list[Finding]:
    """Start the store of a manager, and say what it answers, and which other processes have other settings.

    Raises:
        WsgessionsError: it cannot be used.
    """
    from ..store.alike import SettingsComparison
    from ..store.capabilities import Countable, find_capability

    await manager.start()
    counting = find_capability(manager.store, Countable)
    sessions = "" if counting is None else f", {await counting.count(deadline=deadline)} sessions"
    answer = Finding("ok", f"the store answers: {manager.settings.store_url}{sessions}")
    comparing = find_capability(manager.store, SettingsComparison)
    return [answer] if comparing is None else [answer, *_compared(await comparing.compare_settings(deadline=deadline))]


def _compared(comparison: Comparison) -> Iterator[Finding]:
    """The other running processes of the application, one line for each with other settings than these."""
    alike = comparison.others - len(comparison.deviating)
    if alike:
        yield Finding("ok", f"running processes of this application with the same settings: {alike}")
    for each in comparison.deviating:
        seconds = max(0, comparison.now_us - each.heard_us) // 1_000_000
        text = f"{each.name}, heard {seconds} s ago, has other settings: {', '.join(map(str, each.differences))}"
        yield Finding("warn", text, "set the same everywhere, and restart the process with the wrong ones")


def visit(urls: Sequence[str], settings: SessionSettings) -> Iterator[Finding]:
    """Visit one page after the other, as one browser would.

    Args:
        urls: the pages.
        settings: the settings of their servers, which tell the cookie with the session's id.
    """
    held, plain = "", settings.plain_http_cookie
    for url in urls:
        scheme = urlsplit(url).scheme
        name = (settings.cookie if plain is None or scheme != "http" else plain).name
        if scheme not in _SCHEMES:
            yield Finding("fail", f"{url} is no URL of a page", "write for instance http://localhost:8000/")
            continue
        try:
            status, cookie = _get(url, name, held)
        except OSError as error:
            yield Finding("fail", f"{url} does not answer: {error}", "start the server, or check the address")
            continue
        yield _judged(url, status, name, held, cookie)
        held = held or ("" if cookie is None else cookie.value)


def _judged(url: str, status: int, name: str, held: str, cookie: Morsel[str] | None) -> Finding:
    where = urlsplit(url)
    if status >= 500:
        return Finding("fail", f"{url} answers {status}", "503: its store is out of reach; its log says why")
    if held and cookie is not None and cookie.value != held:
        text = f"{url} does not know the session that another of these servers has made"
        return Finding(
            "fail", text, "give all of them the same store_url, namespace, context_path, pepper and id_length"
        )
    if held:
        return Finding("ok", f"{url} answers {status} and keeps the session")
    if cookie is None:
        text = f"{url} answers {status} and sets no cookie {name}"
        return Finding("warn", text, "name a page that changes the session; or the server has another cookie.name")
    if cookie["secure"] and where.scheme == "http":
        text = f"{url} sets the cookie {name} for https alone, and is reached over plain http"
        return Finding("fail", text, "serve over https; for development alone, set cookie.insecure")
    return Finding("ok", f"{url} answers {status} and sets the cookie {name}")


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """The answer itself has the cookie."""


def _get(url: str, name: str, held: str) -> tuple[int, Morsel[str] | None]:
    """Status and session cookie of a page."""
    request = Request(url, headers={"cookie": f"{name}={held}"} if held else {})  # noqa: S310 - checked by the caller
    try:
        with build_opener(_NoRedirects).open(request, timeout=_PATIENCE) as response:
            status, fields = response.status, response.headers
    except HTTPError as error:
        status, fields = error.code, error.headers
    cookies: SimpleCookie = SimpleCookie()
    for field in fields.get_all("set-cookie") or ():
        cookies.load(field)
    return status, cookies.get(name)
