"""TLS: who cannot prove to be the server we asked for gets nothing from us, not even a greeting (S-85)."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from pathlib import Path

import pytest
import trustme

from tests.stores.valkey.links import at, soon, started, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.stub_server import StubServer
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.testing.faults.proxies import FaultProxy

LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def test_a_server_that_proves_its_name_is_spoken_to(authority: trustme.CA, ca: Path) -> None:
    async with (
        StubServer(tls=serving(authority.issue_cert("localhost", "127.0.0.1"))) as stub,
        started(at(f"valkeys://localhost:{stub.port}?ca={ca}")) as link,
    ):
        assert await link.request(b"GET", b"k") == b"OK"


async def test_another_name_may_be_asked_for(authority: trustme.CA, ca: Path) -> None:
    async with (
        StubServer(tls=serving(authority.issue_cert("db.example"))) as stub,
        started(at(f"valkeys://127.0.0.1:{stub.port}?ca={ca}&server_name=db.example")) as link,
    ):
        assert await link.request(b"GET", b"k") == b"OK"


async def test_verification_can_be_given_up_by_name(authority: trustme.CA) -> None:
    async with (
        StubServer(tls=serving(trustme.CA().issue_cert("elsewhere.example"))) as stub,
        started(at(f"rediss://localhost:{stub.port}?verify=none")) as link,
    ):
        assert await link.request(b"GET", b"k") == b"OK"


@pytest.mark.parametrize("fault", ["unknown authority", "wrong host", "expired"])
async def test_a_server_that_fails_to_prove_its_name_gets_no_data(authority: trustme.CA, ca: Path, fault: str) -> None:
    certificate = {
        "unknown authority": lambda: trustme.CA().issue_cert("localhost"),
        "wrong host": lambda: authority.issue_cert("elsewhere.example"),
        "expired": lambda: authority.issue_cert("localhost", not_before=LONG_AGO, not_after=LONG_AGO + dt.timedelta(1)),
    }[fault]()
    async with StubServer(tls=serving(certificate)) as stub:
        link = at(f"valkeys://:s3cr3t@localhost:{stub.port}?ca={ca}")
        with pytest.raises(StoreUnavailable, match="certificate is refused") as caught:
            await link.start(deadline=soon())
        assert "store_url" in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
        await link.close()
        assert stub.commands == []
        assert stub.bytes_received == 0


async def test_there_is_no_fallback_to_plain_text(server: RawServer, ca: Path) -> None:
    async with FaultProxy(server.path) as proxy:
        link = at(f"valkeys://:s3cr3t@localhost:{proxy.port}?ca={ca}")
        with pytest.raises(StoreUnavailable, match="does it speak TLS"):
            await link.start(deadline=soon(1.0))
        await link.close()
    async with started(at(server.url)) as link:
        assert b"cmdstat_hello:calls=1," in await link.request(b"INFO", b"commandstats")  # the one of this very link


async def test_a_plain_link_to_a_tls_port_says_what_is_wrong(authority: trustme.CA) -> None:
    async with StubServer(tls=serving(authority.issue_cert("localhost"))) as stub:
        link = at(f"valkey://localhost:{stub.port}")
        with pytest.raises(StoreUnavailable, match="no connection"):
            await link.start(deadline=soon(0.3))
        await link.close()


async def test_client_certificates_are_presented(authority: trustme.CA, ca: Path, tmp_path: Path) -> None:
    context = serving(authority.issue_cert("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    client = tmp_path / "client.pem"
    authority.issue_cert("app@example.org").private_key_and_cert_chain_pem.write_to_path(str(client))
    async with StubServer(tls=context) as stub:
        async with started(at(f"valkeys://localhost:{stub.port}?ca={ca}&cert={client}")) as link:
            assert await link.request(b"GET", b"k") == b"OK"
        without = at(f"valkeys://localhost:{stub.port}?ca={ca}")
        with pytest.raises(StoreUnavailable):
            await without.start(deadline=soon(0.5))
        await without.close()


async def test_files_that_cannot_be_read_fail_the_start_at_once(tmp_path: Path) -> None:
    async with StubServer() as stub:
        link = at(f"valkeys://localhost:{stub.port}?ca={tmp_path / 'none.pem'}")
        with pytest.raises(ConfigError, match=r"none\.pem"):
            await link.start(deadline=soon())
        await link.close()
        assert stub.connections == 0


async def test_an_encrypted_connection_that_breaks_is_made_again(authority: trustme.CA, ca: Path) -> None:
    async with (
        StubServer(tls=serving(authority.issue_cert("localhost"))) as stub,
        FaultProxy(("127.0.0.1", stub.port)) as proxy,
        started(at(f"valkeys://{proxy.host}:{proxy.port}?ca={ca}&server_name=localhost")) as link,
    ):
        for generation in range(1, 4):
            assert link.generation == generation
            proxy.end_connections()
            await until(lambda: not link.connected)
            assert await link.request(b"GET", b"k", deadline=soon()) == b"OK"


async def test_a_server_that_speaks_something_else_fails_the_start_at_once(ca: Path) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 this is a mail server\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    link = at(f"valkeys://localhost:{server.sockets[0].getsockname()[1]}?ca={ca}")
    with pytest.raises(StoreUnavailable, match=r"TLS failed.*TLS port"):
        await link.start(deadline=soon())
    await link.close()
    server.close()
