"""The address and credentials of a server: the URLs of the setting ``store_url``, parsed once and never printed whole.

```
valkey://[[user]:password@]host[:port][,host[:port]...][/database][?option=value...]
valkeys://...    the same over TLS; certificate and host name are verified (S-85)
unix://[[user]:password@]/path/of/socket[?db=database]
```

``redis://`` and ``rediss://`` mean the same as ``valkey://`` and ``valkeys://``. User name and password are
percent-encoded where they hold any of ``: @ / ? # %``.

Options, all but ``db`` for TLS only:

| option | meaning | default |
|---|---|---|
| ``db`` | number of the database, another way to write ``/database`` | 0 |
| ``ca`` | file of the certificates to trust, PEM | those the system trusts |
| ``cert``, ``key`` | files of the client's certificate and its key, PEM; ``key`` may be part of ``cert`` | none |
| ``server_name`` | the name that the server's certificate must bear | the host |
| ``verify`` | ``full``, or ``none`` to trust any server that answers | ``full`` |
"""

from __future__ import annotations

import difflib
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import cycle
from typing import Final, NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote

from pydantic import SecretStr

from ..errors import ConfigError
from ..internal.loopback import is_loopback

__all__ = ["DEFAULT_PORT", "Address", "Locate", "TLSOptions", "Verification", "in_turn"]

DEFAULT_PORT: Final = 6379

_URL: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?")
_PLAIN: Final = frozenset({"valkey", "redis"})
_TLS: Final = frozenset({"valkeys", "rediss"})
_TLS_OPTIONS: Final = frozenset({"ca", "cert", "key", "server_name", "verify"})


class Verification(Enum):
    """How strictly the server's certificate is verified."""

    FULL = "full"
    """Signed by a trusted authority, valid in time, and for the expected host name."""
    AUTHORITY = "authority"
    """The same without the host name: any server of the authority is trusted. Only `wsgessions.from_redis` uses it."""
    NONE = "none"
    """No verification: an attacker that can redirect packets can read and change every session."""


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """The TLS options of a server. Files are read at every connection, so that renewed ones take effect."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None
    verify: Verification = Verification.FULL
    ca_path: str | None = None
    """A directory of such certificates."""
    ca_data: str | bytes | None = None
    """Such certificates themselves, PEM or DER. Only `wsgessions.from_redis` sets this and the next two."""
    key_password: SecretStr | None = None
    """Opens the key, if it is encrypted."""
    minimum: ssl.TLSVersion | None = None
    """The oldest version of TLS, where 1.2 is not enough."""

    def context(self) -> ssl.SSLContext:
        """Raises:
        ConfigError: a file cannot be read or is not what it should be.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca, capath=self.ca_path, cadata=self.ca_data)
            # What Python's documentation promises, and some distributions leave to a file that may be missing.
            context.minimum_version = max(ssl.TLSVersion.TLSv1_2, self.minimum or ssl.TLSVersion.TLSv1_2)
            if self.verify is not Verification.FULL:
                context.check_hostname = False
            if self.verify is Verification.NONE:
                context.verify_mode = ssl.CERT_NONE
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key, password=self._say_key_password)
        except (OSError, ValueError) as error:
            files = ", ".join(name for name in (self.ca, self.cert, self.key) if name)
            raise _wrong(
                f"the TLS files cannot be used ({files}): {error}",
                hint="give readable PEM files; the key must not be encrypted and must belong to the certificate",
            ) from error
        return context

    def _say_key_password(self) -> str:
        """Without such a function OpenSSL would stop and ask for the password at the terminal."""
        return "" if self.key_password is None else self.key_password.get_secret_value()


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """One server. Shows no credentials when printed, and cannot be pickled, since it may hold some (S-79)."""

    host: str = "localhost"
    port: int = DEFAULT_PORT
    path: str | None = None
    """The file of a unix socket; host and port are then without meaning."""
    username: str | None = None
    password: SecretStr | None = None
    database: int = 0
    tls: TLSOptions | None = None
    """None: no TLS."""
    holds: Callable[[socket.socket], bool] | None = field(default=None, compare=False)
    """Called before the password is sent: whether the server's process holds the other end of a connection. False as
    long as no process does; raises ConnectionRefusedError if another one does. None: any process is trusted, as far as
    the network and TLS allow."""
    sign_in: Callable[[], Awaitable[tuple[str | None, SecretStr]]] | None = field(default=None, compare=False)
    """Called for user name and password before each connection, since they may expire. None: they do not change."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL that names one server.

        Raises:
            ConfigError: it is malformed, or names several.
        """
        seeds = cls.parse_seeds(url)
        if len(seeds) != 1:
            raise _wrong(f"the URL names {len(seeds)} servers where one is expected", hint="name one host")
        return seeds[0]

    @classmethod
    def parse_seeds(cls, url: str) -> tuple[Address, ...]:
        """Read a URL that names one or more servers, which then share everything but host and port.

        Raises:
            ConfigError: it is malformed. The text never contains a part that might be a credential.
        """
        parts = _split(url)
        if parts.scheme == "unix":
            return (_unix(parts),)
        if parts.scheme not in _PLAIN | _TLS:
            raise _wrong("the URL's scheme is not known", hint="use valkey://, valkeys:// (TLS) or unix://")
        username, password, hosts = _credentials(parts.netloc)
        options = _options(parts, allowed=_TLS_OPTIONS if parts.scheme in _TLS else frozenset())
        database = _database(parts.path.removeprefix("/"), options)
        tls = _tls(options) if parts.scheme in _TLS else None
        return tuple(
            cls(host, port, None, username, password, database, tls) for host, port in map(_host, hosts.split(","))
        )

    def signed_in(
        self, username: str, password: str, *, holds: Callable[[socket.socket], bool] | None = None
    ) -> Address:
        """The same server, for a user; see `holds`."""
        return replace(self, username=username, password=SecretStr(password), holds=holds)

    async def with_credentials(self) -> Address:
        """The same server, with the user name and password of now.

        Raises:
            StoreUnavailable: `sign_in` gives none.
        """
        if self.sign_in is None:
            return self
        username, password = await self.sign_in()
        return replace(self, username=username, password=password)

    @property
    def is_local(self) -> bool:
        """Whether traffic to it stays on this machine."""
        return self.path is not None or is_loopback(self.host)

    def __str__(self) -> str:
        """The address without credentials, for logs and error texts."""
        if self.path is not None:
            return f"unix://{self.path}" + (f"?db={self.database}" if self.database else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"valkey{'s' if self.tls else ''}://{host}:{self.port}/{self.database}"

    def __repr__(self) -> str:
        secret = ", password=***" if self.password is not None else ""
        return f"<Address {self}{secret}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Address may hold a password and is not pickled; pass the setting store_url on instead")


Locate = Callable[[], Awaitable[Address]]
"""Returns the present address of the server; called before every attempt to connect."""


def in_turn(addresses: Sequence[Address]) -> Locate:
    """Try the addresses one after the other, repeatedly: a server that cannot be reached is skipped."""
    turn = cycle(addresses)

    async def locate() -> Address:
        return await next(turn).with_credentials()

    return locate


def _wrong(message: str, *, hint: str) -> ConfigError:
    return ConfigError(message, setting="store_url", hint=hint)


def _split(url: str) -> SplitResult:
    # Not by urlsplit: Pythons with the fix of CVE-2025-0938 refuse [::1] in a list of hosts.
    parts = _URL.fullmatch(url.strip())
    if parts is None or not (parts[2] or "").isascii():
        raise _wrong(
            "the URL cannot be read", hint="percent-encode special characters, such as %23 for #, in user and password"
        )
    scheme, hosts, path, query = parts.groups(default="")
    return SplitResult(scheme.lower(), hosts, path, query, fragment="")


def _credentials(netloc: str) -> tuple[str | None, SecretStr | None, str]:
    userinfo, _, hosts = netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    if "@" in userinfo:
        raise _wrong("the URL has more than one @", hint="write %40 for an @ in user name or password")
    if username and not password:
        raise _wrong("the URL has a user name without a password", hint="write user:password@ or :password@")
    return unquote(username) or None, SecretStr(unquote(password)) if password else None, hosts


def _host(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(DEFAULT_PORT)
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    elif "[" in host or "]" in host:
        raise _wrong("the URL's brackets do not hold an IPv6 address", hint="write for instance valkey://[::1]:6379")
    if not host:
        raise _wrong("the URL lacks a host", hint="write for instance valkey://localhost:6379")
    # What cannot be read may be part of a password with an unencoded character, and is not repeated.
    if not (_is_number(port) and 0 < int(port) < 1 << 16):
        raise _wrong("the URL's port is not a number from 1 to 65535", hint="write host:port")
    return host, int(port)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,9}", text) is not None


def _options(parts: SplitResult, *, allowed: frozenset[str]) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name in _TLS_OPTIONS - allowed:
            raise _wrong(f"the option {name!r} needs TLS", hint="use the scheme valkeys://")
        if name not in allowed | {"db"}:
            known = sorted(allowed | {"db"})
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise _wrong("the URL has an unknown option", hint=f"{meant}valid here: {', '.join(known)}")
    return options


def _database(path: str, options: dict[str, str]) -> int:
    if path and "db" in options:
        raise _wrong("the URL names the database twice", hint="write either /1 or ?db=1")
    text = path or options.get("db", "") or "0"
    if not _is_number(text):
        raise _wrong("the URL's database is not a number", hint="write for instance valkey://localhost:6379/1")
    return int(text)


def _tls(options: dict[str, str]) -> TLSOptions:
    verify = options.get("verify", Verification.FULL.value)
    if verify not in {Verification.FULL.value, Verification.NONE.value}:
        raise _wrong("the option 'verify' has an unknown value", hint="valid are full and none")
    if "key" in options and "cert" not in options:
        raise _wrong("the option 'key' is of no use without 'cert'", hint="name the client certificate's file too")
    return TLSOptions(
        ca=options.get("ca") or None,
        cert=options.get("cert") or None,
        key=options.get("key") or None,
        server_name=options.get("server_name") or None,
        verify=Verification(verify),
    )


def _unix(parts: SplitResult) -> Address:
    username, password, host = _credentials(parts.netloc)
    path = unquote(parts.path)
    if host or len(path) <= 1:
        raise _wrong("the URL lacks the path of a socket", hint="write for instance unix:///run/valkey/valkey.sock")
    database = _database("", _options(parts, allowed=frozenset()))
    return Address(path=path, username=username, password=password, database=database)
