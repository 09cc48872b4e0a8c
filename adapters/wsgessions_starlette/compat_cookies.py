"""The cookies of the session in the words and the order of `starlette.middleware.sessions`."""

from __future__ import annotations

from wsgessions.settings import CookieSettings
from wsgessions.web.cookies import CookieSpelling

__all__ = ["SpellingOfStarlette"]


class SpellingOfStarlette(CookieSpelling):
    """For applications, tests and proxies that compare the text of Starlette's cookies."""

    __slots__ = ("_path", "_rest")

    def __init__(self, settings: CookieSettings, domain: str | None) -> None:
        super().__init__(settings, domain)
        self._path = f"; path={settings.path}"
        words = ["httponly"] if settings.httponly else []
        words += [f"samesite={settings.samesite}"] if settings.samesite != "off" else []
        words += ["secure"] if settings.secure else []
        words += [f"domain={domain}"] if domain else []
        words += ["partitioned"] if settings.partitioned else []
        self._rest = "".join(f"; {word}" for word in words)

    def keep(self, pair: str, max_age: int | None) -> bytes:
        """See `CookieSpelling.keep`."""
        age = "" if max_age is None else f"; Max-Age={max_age}"
        return f"{pair}{self._path}{age}{self._rest}".encode("ascii")

    def remove(self, name: str) -> bytes:
        """See `CookieSpelling.remove`."""
        return f"{name}=null{self._path}; expires=Thu, 01 Jan 1970 00:00:00 GMT{self._rest}".encode("ascii")
