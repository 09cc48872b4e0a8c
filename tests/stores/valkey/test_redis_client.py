"""A client of redis-py or valkey-py that an application has already says where the store is, and how to get in."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import trustme
import valkey
import valkey.asyncio
import valkey.asyncio.sentinel
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.canary import PASSWORD, Canary
from tests.stores.valkey.links import soon, until
from tests.stores.valkey.raw_server import RawServer
from wsgessions import SessionManager, SessionSettings, errors, from_redis
from wsgessions.store.address import Address
from wsgessions.store.capabilities import CacheLookup, Countable, find_capability
from wsgessions.stores.valkey.coherence.replica_acks import Fence
from wsgessions.stores.valkey.redis_client import ClientUrl
from wsgessions.testing.faults.proxies import FaultProxy

OTHER = "canary-password-66bb"


def let_in(admin: redis.Redis, user: str, **how: Any) -> None:
    """Have the server know a user by this and nothing else."""
    admin.acl_setuser(user, enabled=True, reset_passwords=True, keys="*", channels="*", categories=["+@all"], **how)


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    """A server with a password for the default user, and two more users."""
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        server = RawServer(Path(directory))
        server.start()
        with redis.Redis(unix_socket_path=server.path) as admin:
            admin.acl_setuser(
                "ann", enabled=True, passwords=[f"+{PASSWORD}"], keys="*", channels="*", categories=["+@all"]
            )
            admin.acl_setuser("bob", enabled=True, nopass=True, keys="*", channels="*", categories=["+@all"])
            admin.config_set("requirepass", PASSWORD)
        yield server
        gc.collect()
        server.kill()


@pytest.fixture
def admin(server: RawServer) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=server.path, password=PASSWORD, decode_responses=True) as client:
        yield client


def links(admin: redis.Redis) -> list[dict[str, Any]]:
    """Our connections, as the server has them."""
    listed: Any = admin.client_list()
    return [each for each in listed if each["name"] == "wsgessions"]


@asynccontextmanager
async def managed(store: ClientUrl, **settings: Any) -> AsyncIterator[SessionManager]:
    manager = SessionManager(store=store, **settings)
    try:
        yield manager
    finally:
        await manager.close()


async def serves(manager: SessionManager) -> None:
    """A session is stored, and read by another manager that has the URL."""
    async with manager.open() as session:
        session["a"] = 1
    async with manager.open(session.id) as same:
        assert same == {"a": 1}


KINDS: dict[str, Callable[[str], Any]] = {
    "redis.asyncio": lambda path: redis.asyncio.Redis(unix_socket_path=path, password=PASSWORD, db=1),
    "redis.asyncio, of a URL": lambda path: redis.asyncio.from_url(f"unix://:{PASSWORD}@{path}?db=1"),
    "redis.asyncio, of a pool": lambda path: redis.asyncio.Redis(
        connection_pool=redis.asyncio.BlockingConnectionPool.from_url(f"unix://:{PASSWORD}@{path}?db=1")
    ),
    "valkey.asyncio": lambda path: valkey.asyncio.Valkey(unix_socket_path=path, password=PASSWORD, db=1),
    "redis": lambda path: redis.Redis(unix_socket_path=path, password=PASSWORD, db=1),
    "valkey": lambda path: valkey.Valkey(unix_socket_path=path, password=PASSWORD.encode(), db="1"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_sessions_are_kept_where_the_client_s_data_are(server: RawServer, admin: redis.Redis, kind: str) -> None:
    """In its database, over one link of ours, with the near cache and all powers; and others find them by a URL."""
    store = from_redis(KINDS[kind](server.path))
    assert PASSWORD not in f"{store} {store!r}"
    async with managed(store) as manager:
        async with manager.open() as session:
            session["a"] = 1
        cache = find_capability(manager.store, CacheLookup)
        assert cache is not None
        await until(lambda: cache.statistics.tracked_keys is not None)
        counting = find_capability(manager.store, Countable)
        assert counting is not None
        assert await counting.count() >= 1
        assert [(each["db"], each["resp"]) for each in links(admin)] == [("1", "3")]
        other = SessionManager(store_url=f"unix://:{PASSWORD}@{server.path}?db=1")
        async with other.open(session.id) as same:
            assert same == {"a": 1}
        await other.close()


async def test_the_client_s_own_connections_are_not_touched(server: RawServer) -> None:
    async with redis.asyncio.Redis(unix_socket_path=server.path, password=PASSWORD) as client:
        assert await client.ping()
        before = await client.client_id()
        pool = client.connection_pool
        known = {name: value for name, value in pool.connection_kwargs.items() if name != "himport_registry"}
        async with managed(from_redis(client)) as manager:
            await serves(manager)
        assert await client.client_id() == before
        assert known == {name: value for name, value in pool.connection_kwargs.items() if name != "himport_registry"}


@pytest.mark.parametrize(("user", "password"), [("ann", PASSWORD), ("bob", None), (None, PASSWORD)])
async def test_the_user_is_the_client_s_over_tcp_too(
    server: RawServer, admin: redis.Redis, user: str | None, password: str | None
) -> None:
    """A user without a password is not taken for the default user."""
    async with FaultProxy(server.path) as proxy:
        client = redis.asyncio.Redis(host=proxy.host, port=proxy.port, username=user, password=password)
        async with managed(from_redis(client)) as manager:
            await serves(manager)
            assert [each["user"] for each in links(admin)] == [user or "default"]


async def test_a_wrong_password_is_shown_nowhere(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """S-79."""
    client = redis.asyncio.Redis(unix_socket_path=server.path, username="ann", password=OTHER)
    canary = Canary(monkeypatch)
    canary.secrets.append(OTHER)
    manager = SessionManager(store=from_redis(client), nonstop_timeout="0.4s")
    with canary.expecting(errors.StoreRefused):
        await manager.start()
    await manager.close()


# -- credential providers ----------------------------------------------------------------------------------------------


class Tokens(redis.CredentialProvider):
    """Gives the token of now, as those of clouds do."""

    def __init__(self, *token: str) -> None:
        self.token = token
        self.asked = 0

    async def get_credentials_async(self) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        return self.token


class PlainTokens(valkey.CredentialProvider):
    """The same for valkey-py, which knows no other way."""

    def __init__(self, *token: str) -> None:
        self.token = token
        self.asked = 0

    def get_credentials(self) -> Any:
        self.asked += 1
        return self.token


PROVIDED: dict[str, Callable[[str, Any], Any]] = {
    "redis.asyncio": lambda path, provider: redis.asyncio.Redis(unix_socket_path=path, credential_provider=provider),
    "valkey.asyncio": lambda path, provider: valkey.asyncio.Valkey(unix_socket_path=path, credential_provider=provider),
}


@pytest.mark.parametrize("kind", PROVIDED)
async def test_a_provider_is_asked_before_each_connection(server: RawServer, admin: redis.Redis, kind: str) -> None:
    """Its token expires, and the connection with it; the next is made with the token of then."""
    admin.acl_setuser(
        "eve", enabled=True, reset_passwords=True, passwords=["+token-1"], keys="*", channels="*", categories=["+@all"]
    )
    provider = (Tokens if kind.startswith("redis") else PlainTokens)("eve", "token-1")
    async with managed(from_redis(PROVIDED[kind](server.path, provider))) as manager:
        await serves(manager)
        assert provider.asked == 1
        let_in(admin, "eve", passwords=["+token-2"])
        provider.token = ("eve", "token-2")
        admin.client_kill_filter(user="eve")
        await until(lambda: not links(admin))
        await serves(manager)
        assert provider.asked == 2
        assert [each["user"] for each in links(admin)] == ["eve"]


async def test_a_provider_may_give_a_password_alone(server: RawServer, admin: redis.Redis) -> None:
    provider = Tokens(PASSWORD)
    async with managed(from_redis(PROVIDED["redis.asyncio"](server.path, provider))) as manager:
        await serves(manager)
        assert [each["user"] for each in links(admin)] == ["default"]


async def test_the_connection_that_asks_the_replicas_has_credentials_of_its_own(server: RawServer) -> None:
    provider = Tokens("ann", PASSWORD)
    (address,) = from_redis(PROVIDED["redis.asyncio"](server.path, provider)).servers()

    class Connected:
        class link:  # noqa: N801 - as the sender has it
            address: Address

    Connected.link.address = address
    located = await Fence(Connected())._locate()  # type: ignore[arg-type]
    assert (located.username, provider.asked) == ("ann", 1)


class Failing(Tokens):
    async def get_credentials_async(self) -> Any:
        secret = self.token[-1]
        raise ValueError(f"cannot renew {secret}")


class Hanging(Tokens):
    async def get_credentials_async(self) -> Any:
        self.asked += 1
        if self.asked == 1:
            await asyncio.Event().wait()
        return self.token


@pytest.mark.parametrize(
    ("provider", "reason"),
    [(Failing("ann", PASSWORD), "ValueError"), (Tokens(), "TypeError"), (Tokens("a", "b", PASSWORD), "TypeError")],
)
async def test_a_provider_that_gives_nothing_of_use_is_an_outage_that_shows_no_token(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: Tokens, reason: str
) -> None:
    """S-79."""
    manager = SessionManager(store=from_redis(PROVIDED["redis.asyncio"](server.path, provider)), nonstop_timeout="0.3s")
    with Canary(monkeypatch).expecting(errors.StoreUnavailable):
        await manager.start()
    assert f"the client's credential provider gave no credentials: {reason}" in caplog.text
    assert PASSWORD not in caplog.text
    await manager.close()


async def test_a_provider_that_hangs_is_asked_again(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgessions.stores.valkey.redis_client._PROVIDER_SECONDS", 0.05)
    provider = Hanging("ann", PASSWORD)
    async with managed(from_redis(PROVIDED["redis.asyncio"](server.path, provider)), nonstop_timeout=20) as manager:
        await serves(manager)
    assert provider.asked == 2


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """Of the authority, and of a client with an encrypted key."""
    client = authority.issue_cert("app@example.org")
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSWORD.encode())
    )
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "client.pem").write_bytes(client.cert_chain_pems[0].bytes())
    (tmp_path / "client.key").write_bytes(encrypted)
    return {name: str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key")}


@asynccontextmanager
async def encrypted(
    server: RawServer,
    certificate: trustme.LeafCert,
    *,
    client: trustme.CA | None = None,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> AsyncIterator[int]:
    """The port at which the server is reached by TLS, with a certificate of the client where that is asked for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    context.maximum_version = newest
    if client is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        client.configure_trust(context)
    passing: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, back = await asyncio.open_unix_connection(server.path)
        passing.update(asyncio.ensure_future(each) for each in (_pass(reader, back), _pass(beyond, writer)))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        if passing:
            await asyncio.wait(passing)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await reader.read(2**16):
            writer.write(octets)
            await writer.drain()
    writer.close()


TLS: dict[str, tuple[str, Callable[[dict[str, str]], dict[str, Any]]]] = {
    "a file of authorities": ("localhost", lambda files: {"ssl_ca_certs": files["ca.pem"]}),
    "authorities as text": ("localhost", lambda files: {"ssl_ca_data": Path(files["ca.pem"]).read_text()}),
    "another name, not looked at": (
        "db.example",
        lambda files: {"ssl_ca_certs": files["ca.pem"], "ssl_check_hostname": False},
    ),
    "nothing looked at": ("db.example", lambda files: {"ssl_cert_reqs": "none"}),
}


@pytest.mark.parametrize("case", TLS)
@pytest.mark.parametrize("kind", [redis.asyncio.Redis, valkey.asyncio.Valkey])
async def test_tls_is_spoken_as_the_client_does(
    server: RawServer, authority: trustme.CA, files: dict[str, str], kind: Any, case: str
) -> None:
    name, options = TLS[case]
    async with encrypted(server, authority.issue_cert(name)) as port:
        client = kind(host="localhost", port=port, ssl=True, password=PASSWORD, **options(files))
        async with managed(from_redis(client)) as manager:
            await serves(manager)
            assert str(manager.settings.store_url) == f"valkeys://localhost:{port}/0"


async def test_the_client_s_certificate_is_presented(
    server: RawServer, authority: trustme.CA, files: dict[str, str]
) -> None:
    async with encrypted(server, authority.issue_cert("localhost"), client=authority) as port:
        client = redis.asyncio.Redis(
            host="localhost",
            port=port,
            password=PASSWORD,
            ssl=True,
            ssl_ca_certs=files["ca.pem"],
            ssl_certfile=files["client.pem"],
            ssl_keyfile=files["client.key"],
            ssl_password=PASSWORD,
        )
        async with managed(from_redis(client)) as manager:
            await serves(manager)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("db.example", {"ssl_check_hostname": True}),
        ("localhost", {"ssl_ca_certs": None, "ssl_check_hostname": False}),
        ("db.example", {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}),
    ],
)
async def test_a_server_that_the_client_would_not_believe_gets_no_password(
    server: RawServer, authority: trustme.CA, files: dict[str, str], name: str, options: dict[str, Any]
) -> None:
    """S-85: neither one with another name, nor one of an authority that is not trusted."""
    async with encrypted(server, authority.issue_cert(name)) as port:
        given = {"ssl_ca_certs": files["ca.pem"], **options}
        client = redis.asyncio.Redis(host="localhost", port=port, ssl=True, password=PASSWORD, **given)
        manager = SessionManager(store=from_redis(client))
        with pytest.raises(errors.StoreUnavailable, match="certificate is refused"):
            await manager.start(deadline=soon())
        await manager.close()


async def test_the_oldest_version_of_tls_is_the_client_s(
    server: RawServer, authority: trustme.CA, files: dict[str, str]
) -> None:
    async with encrypted(server, authority.issue_cert("localhost"), newest=ssl.TLSVersion.TLSv1_2) as port:
        given: dict[str, Any] = {"host": "localhost", "port": port, "ssl": True, "ssl_ca_certs": files["ca.pem"]}
        given["password"] = PASSWORD
        async with managed(from_redis(redis.asyncio.Redis(**given))) as manager:
            await serves(manager)
        stricter = redis.asyncio.Redis(**given, ssl_min_version=ssl.TLSVersion.TLSv1_3)
        manager = SessionManager(store=from_redis(stricter))
        with pytest.raises(errors.StoreUnavailable, match="no connection"):
            await manager.start(deadline=soon(0.3))
        await manager.close()


def test_what_the_client_leaves_open_is_its_package_s_default() -> None:
    """valkey-py does not look at the name unless it is told to, redis-py does."""

    def verify(client: Any) -> str:
        tls = from_redis(client).servers()[0].tls
        assert tls is not None
        return tls.verify.value

    assert verify(redis.asyncio.from_url("rediss://h")) == "full"
    assert verify(valkey.asyncio.from_url("valkeys://h")) == "authority"  # type: ignore[no-untyped-call]
    assert verify(redis.asyncio.from_url("rediss://h?ssl_cert_reqs=none")) == "none"
    assert from_redis(redis.asyncio.from_url("redis://h")).servers()[0].tls is None


@pytest.mark.parametrize(
    ("client", "message"),
    [
        (redis.asyncio.Redis(host="db.example"), "in clear text"),
        (valkey.asyncio.Valkey(host="db.example", ssl=True), "not asked to prove its name"),
        (redis.asyncio.Redis(host="localhost", ssl=True, ssl_cert_reqs="none"), "not asked to prove its name"),
    ],
)
def test_production_asks_of_a_client_what_it_asks_of_a_url(client: Any, message: str) -> None:
    """S-85."""
    with pytest.raises(errors.ConfigError, match=message):
        SessionManager(store=from_redis(client), env="production")


# -- what is not supported ---------------------------------------------------------------------------------------------


class Tunnel(redis.asyncio.Connection):
    """Connects in a way of its own."""


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a cluster": (lambda: redis.asyncio.RedisCluster(host="h", password=PASSWORD), "RedisCluster speaks to a cluster"),
    "a cluster of valkey-py": (lambda: valkey.asyncio.ValkeyCluster(host="h"), "ValkeyCluster speaks to a cluster"),
    "a primary by Sentinel": (
        lambda: redis.asyncio.sentinel.Sentinel([("h", 1)]).master_for("m", password=PASSWORD),  # type: ignore[no-untyped-call]
        "finds its server by Sentinel",
    ),
    "a Sentinel": (lambda: valkey.asyncio.sentinel.Sentinel([("h", 1)]), "finds its server by Sentinel"),  # type: ignore[no-untyped-call]
    "a connection of its own": (
        lambda: redis.asyncio.Redis(
            connection_pool=redis.asyncio.ConnectionPool(connection_class=Tunnel, password=PASSWORD)
        ),
        "a class of their own, .*Tunnel",
    ),
    "a hook": (
        lambda: redis.asyncio.Redis(redis_connect_func=lambda connection: None, password=PASSWORD),
        "redis_connect_func, which is not supported .use a credential_provider",
    ),
    "an option of TLS": (
        lambda: redis.asyncio.Redis(ssl=True, ssl_ciphers="AES", password=PASSWORD),
        "ssl_ciphers, which is not supported",
    ),
    "something else": (object, "a builtins.object has no connection whose options are known .give a redis.asyncio"),
    "a URL": (lambda: f"redis://:{PASSWORD}@h", "a builtins.str has no connection"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_over_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """S-79: and without the password, in whatever the client would show of itself."""
    make, message = REFUSED[case]
    client = make()
    with pytest.raises(errors.ConfigError, match=message) as caught:
        from_redis(client)
    Canary(monkeypatch).check(caught.value)
    assert caught.value.hint


def test_the_settings_of_a_client_are_not_pickled_and_copies_are_the_same() -> None:
    store = from_redis(redis.asyncio.Redis(password=PASSWORD))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(store)
    assert copy.deepcopy(SessionSettings(store_url=store)).store_url is store
