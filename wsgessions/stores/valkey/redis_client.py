"""Uses the connection settings of a client that an application has already: address, credentials and TLS of its server.

Only the settings of the client's connection pool are read, once. Its connections are not used, and neither redis-py nor
valkey-py is imported: both have the same names for these settings. An unsupported setting is an error.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, cast

from pydantic import SecretStr

from ...errors import ConfigError, StoreUnavailable
from ...settings import StoreUrl
from ...store.address import DEFAULT_PORT, Address, TLSOptions, Verification

__all__ = ["ClientUrl", "RedisClient", "from_redis"]

_PROVIDER_SECONDS: Final = 10.0
_SECRETS: Final = frozenset({"password", "ssl_password"})
_PACKAGES: Final = frozenset({"redis", "valkey"})
_CLIENTS: Final = "a redis.asyncio.Redis or a valkey.asyncio.Valkey"
_TLS_TAKEN: Final = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
        "ssl_min_version",
        "ssl_password",
    }
)
_OF_CLUSTERS: Final = frozenset({"RedisCluster", "ValkeyCluster"})
_OF_SENTINEL: Final = frozenset({"Sentinel", "SentinelConnectionPool", "SentinelManagedConnection"})
_HOOKS: Final = ("redis_connect_func", "valkey_connect_func")


class RedisClient(Protocol):
    """A client of redis-py or valkey-py for one server, with asyncio or without."""

    connection_pool: Any


class ClientUrl(StoreUrl):
    """The server of a client, in place of a URL. Shows no credentials, and cannot be pickled.

    Args:
        address: the server.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(str(address))
        self._address = address

    def servers(self) -> tuple[Address, ...]:
        """The server, with its credentials."""
        return (self._address,)


def from_redis(client: RedisClient) -> ClientUrl:
    """The argument ``store`` of a manager, a middleware or an adapter for the server of an existing client.

    Host, port, database, user, password, TLS and the credential provider are those of the client's connection pool; the
    provider is asked before each connection. The connections of the client are neither used nor closed, and its pool
    size, timeouts, retries, protocol, encodings and name are ignored.

    Args:
        client: a ``redis.asyncio.Redis`` or ``valkey.asyncio.Valkey``, or their clients without asyncio.

    Raises:
        ConfigError: it is no such client, or has an unsupported setting, as with Sentinel and Cluster.
    """
    taken = _Taken.of(client)
    del client  # its representation may show the password, and errors can occur from here on (S-79)
    taken.check()
    return ClientUrl(taken.address())


class _Taken(NamedTuple):
    """The settings read from a client, its secrets hidden."""

    name: str
    """The client's class."""
    kinds: frozenset[str]
    """The names of its classes, those of its pool, and those of its connections, with their bases."""
    connection: type | None
    options: Mapping[str, Any]
    """The options of its connections; the connection's own defaults for the rest."""

    @classmethod
    def of(cls, client: object) -> _Taken:
        pool = getattr(client, "connection_pool", None)
        connection = getattr(pool, "connection_class", None)
        given = getattr(pool, "connection_kwargs", None)
        classes: tuple[Any, ...] = (type(client), type(pool), connection)
        kinds = frozenset(kind.__name__ for each in classes for kind in getattr(each, "__mro__", ()))
        own = cast("Mapping[str, Any]", given if isinstance(given, Mapping) else {})
        options = {**_defaults(connection), **own}
        for name in _SECRETS & options.keys():
            options[name] = None if options[name] is None else SecretStr(_text(options[name]))
        name, is_known = _name_of(type(client)), isinstance(connection, type) and isinstance(given, Mapping)
        return cls(name, kinds, connection if is_known else None, options)

    def check(self) -> None:
        """Reject an unsupported setting, with a `ConfigError` that names it."""
        if self.kinds & _OF_CLUSTERS:
            message = f"a {self.name} speaks to a cluster, and clusters are not in this release"
            raise _refused(message, f"give {_CLIENTS} of a single server")
        if self.kinds & _OF_SENTINEL:
            message = f"a {self.name} that finds its server by Sentinel is not supported"
            raise _refused(message, f"give {_CLIENTS} with the primary's host and port")
        if self.connection is None:
            raise _refused(f"a {self.name} has no connection whose options are known", f"give {_CLIENTS}")
        if self.connection.__module__.partition(".")[0] not in _PACKAGES:
            message = f"the client's connections are of a class of their own, {_name_of(self.connection)}"
            raise _refused(message, "give the server's store_url")
        for name, value in self.options.items():
            if name in _HOOKS and value is not None:
                raise _refused(f"the client has a {name}, which is not supported", "use a credential_provider")
            if name.startswith("ssl_") and name not in _TLS_TAKEN and value:
                raise _refused(f"the client has {name}, which is not supported", "leave it out")

    def address(self) -> Address:
        """The server."""
        options = self.options
        username, password, provider = (options.get(name) for name in ("username", "password", "credential_provider"))
        if username and password is None:
            password = SecretStr("")  # a user without password, which must not be mistaken for the default user
        common: dict[str, Any] = {
            "username": _text(username) if username else None,
            "password": password,
            "database": int(options.get("db") or 0),
            "sign_in": None if provider is None else _signing_in(provider),
        }
        if "UnixDomainSocketConnection" in self.kinds:
            return Address(path=_text(options["path"]), **common)
        host, port = _text(options.get("host") or "localhost"), int(options.get("port") or DEFAULT_PORT)
        return Address(host, port, tls=_tls(options) if "SSLConnection" in self.kinds else None, **common)


def _defaults(connection: object) -> dict[str, Any]:
    """The default options of a class of connections: they differ between the packages and their releases."""
    found: dict[str, Any] = {}
    kinds: tuple[type[Any], ...] = getattr(connection, "__mro__", ())
    for kind in kinds:
        init: object = vars(kind).get("__init__")
        for parameter in inspect.signature(init).parameters.values() if inspect.isfunction(init) else ():
            if parameter.default is not parameter.empty:
                found.setdefault(parameter.name, parameter.default)
    return found


def _tls(options: Mapping[str, Any]) -> TLSOptions:
    demanded = options.get("ssl_cert_reqs")
    minimum = options.get("ssl_min_version")
    if demanded in {None, "none", ssl.CERT_NONE}:
        verify = Verification.NONE
    else:
        verify = Verification.FULL if options.get("ssl_check_hostname") else Verification.AUTHORITY
    return TLSOptions(
        ca=options.get("ssl_ca_certs") or None,
        cert=options.get("ssl_certfile") or None,
        key=options.get("ssl_keyfile") or None,
        verify=verify,
        ca_path=options.get("ssl_ca_path") or None,
        ca_data=options.get("ssl_ca_data") or None,
        key_password=options.get("ssl_password"),
        minimum=None if minimum is None else ssl.TLSVersion(minimum),
    )


def _signing_in(provider: Any) -> Callable[[], Awaitable[tuple[str | None, SecretStr]]]:
    async def sign_in() -> tuple[str | None, SecretStr]:
        reason = ""
        try:
            async with asyncio.timeout(_PROVIDER_SECONDS):
                return await _asked(provider)
        except Exception as error:  # noqa: BLE001 - its text and its frames may hold the token (S-79)
            reason = type(error).__name__
        raise StoreUnavailable(
            f"the client's credential provider gave no credentials: {reason}", hint="call it by itself to see why"
        )

    return sign_in


async def _asked(provider: Any) -> tuple[str | None, SecretStr]:
    """Call a provider, which returns a password, or user name and password; valkey-py's have no asyncio method."""
    ask = getattr(provider, "get_credentials_async", None) or provider.get_credentials
    given: Any = ask()
    if inspect.isawaitable(given):
        given = await given
    if type(given) not in {tuple, list} or len(given) not in {1, 2}:
        raise TypeError
    username = _text(given[0]) if len(given) == 2 else ""
    return username or None, SecretStr(_text(given[-1]))


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _refused(message: str, hint: str) -> ConfigError:
    return ConfigError(message, setting="store", hint=hint)
