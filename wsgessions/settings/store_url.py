"""The setting ``store_url``: checked at start, and never shown with the credentials that it may hold (S-79)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, NoReturn, Self, TypeVar

from pydantic import Secret, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from ..errors import ConfigError
from ..store.address import Address, Verification
from ..stores.schemes import OWN_SCHEMES, RESERVED_SCHEMES, find_source, other_schemes
from .types import nearest, wrong

T = TypeVar("T")

__all__ = ["CheckedStoreUrl", "StoreUrl", "is_unverified", "leaves_in_clear_text"]

_SERVERS: Final = frozenset({"valkey", "valkeys", "redis", "rediss", "unix"})
_SUPPORTED: Final = (
    "embedded:[directory], memory:, valkey://, valkeys:// (TLS), redis://, rediss:// (TLS), unix://, aiocache:alias"
)


class StoreUrl(Secret[str]):
    """A store's URL. `get_secret_value` gives it whole; ``str()`` and ``repr()`` show no user name and no password.

    It refuses to be pickled, since the bytes would hold the password.
    """

    @property
    def scheme(self) -> str:
        """What stands before the first colon: ``embedded``, ``memory``, ``valkey`` ..."""
        return self.get_secret_value().partition(":")[0].lower()

    @property
    def rest(self) -> str:
        """What stands behind the first colon. It may hold a password."""
        return self.get_secret_value().partition(":")[2]

    def servers(self) -> tuple[Address, ...]:
        """The servers that it names; none for a store that is no Valkey and no Redis, or one that is embedded."""
        return Address.parse_seeds(self.get_secret_value()) if self.scheme in _SERVERS else ()

    def _display(self) -> str:
        if self.scheme not in OWN_SCHEMES:
            return f"{self.scheme}:***"  # only the package that brings the store knows where its URL has secrets
        scheme, slashes, rest = self.get_secret_value().partition("//")
        _, at, place = rest.rpartition("@")
        return f"{scheme}{slashes}{'***@' if at else ''}{place}"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a store URL may hold a password and is not pickled; make the settings anew in the other process"
        )


def _read_store_url(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Leave alone what knows its server without the text of a URL (`wsgessions.from_redis`), and check all else."""
    if isinstance(value, StoreUrl) and type(value) is not StoreUrl:
        return value
    return handler(_check_store_url(value))


def _check_store_url(value: Any) -> str:
    """Refuse what no store can be opened with. Error texts never repeat the value (S-79).

    Raises:
        PydanticCustomError: the URL is malformed, or of a kind that this release does not know.
    """
    if isinstance(value, Secret):
        value = value.get_secret_value()
    if not isinstance(value, str):
        raise wrong(f"expected a URL, not a {type(value).__name__}", f"valid: {_SUPPORTED}")
    url = value.strip()
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme in _SERVERS:
        _check_server(url)
    elif not colon or not (_is_right(scheme, rest) or _is_registered(scheme)):
        raise _unknown(scheme if colon else "", rest, url)
    return url


def leaves_in_clear_text(url: StoreUrl) -> bool:
    """Whether a server beyond this machine is spoken to without TLS."""
    return any(server.tls is None and not server.is_local for server in url.servers())


def is_unverified(url: StoreUrl) -> bool:
    """Whether TLS is spoken to whatever answers, its certificate or the name in that unseen."""
    return any(server.tls is not None and server.tls.verify is not Verification.FULL for server in url.servers())


def _is_right(scheme: str, rest: str) -> bool:
    """Whether this may follow the scheme of a store that is no server."""
    if scheme == "aiocache":
        return bool(rest) and not rest.startswith("/")
    return (scheme == "memory" and not rest) or (scheme == "embedded" and "\0" not in rest)


def _check_server(url: str) -> None:
    _told(lambda: Address.parse_seeds(url))


def _is_registered(scheme: str) -> bool:
    """Whether another package brings stores of this scheme; what may follow it, that package knows."""
    return scheme not in OWN_SCHEMES and _told(lambda: find_source(scheme)) is not None


def _told(ask: Callable[[], T]) -> T:
    """The answer; a ConfigError is told as one of this setting."""
    try:
        return ask()
    except ConfigError as error:
        reason, hint = str(error.args[0]).partition(": ")[2], error.hint
    raise wrong(reason, hint)


def _unknown(scheme: str, rest: str, url: str) -> PydanticCustomError:
    if scheme in RESERVED_SCHEMES or url.endswith((".toml", ".xml")):
        return wrong("stores of this kind are not in this release", f"valid: {_SUPPORTED}")
    if scheme == "memory" and rest:
        return wrong("nothing follows memory:", "write memory:")
    if scheme == "aiocache":
        return wrong("the alias is missing", "write for instance aiocache:sessions")
    if re.fullmatch(r"\d{1,5}", rest):
        return wrong("the URL lacks a scheme", "write for instance valkey://localhost:6379")
    others = other_schemes()
    near = nearest(scheme, [*OWN_SCHEMES, *others]).partition("valid")[0]
    valid = ", ".join([_SUPPORTED, *(f"{other}:" for other in others)])
    return wrong("the URL's scheme is not known", f"{near}valid: {valid}")


CheckedStoreUrl = Annotated[StoreUrl, WrapValidator(_read_store_url)]
"""The type of the setting."""
