"""Opens a connection: socket, TLS, greeting, database. Nothing here is retried."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final

from ....errors import StoreRefused
from ....internal import real_time as time
from ....store.address import Address, Verification
from .commands import Commands
from .connection import Connection
from .replies import LinkLost, Reply
from .requests import Argument, PendingRequest

__all__ = ["FreshConnection", "open_connection"]

_POLL: Final = 0.005


class FreshConnection(Commands):
    """Sends commands over one connection before it is used by others. The caller that opens it handles deadlines."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def bytes_before(self, content: bytes) -> int | None:
        """See `Commands.bytes_before`."""
        return self._connection.bytes_before(content)

    def submit(self, request: PendingRequest) -> asyncio.Future[Reply]:
        """See `Commands.submit`."""
        request.future = asyncio.get_running_loop().create_future()
        if self._connection.lost is not None:
            request.fail(LinkLost(f"the connection was lost: {self._connection.lost}", sent=False))
        else:
            self._connection.write([request], time.monotonic())
        return request.future


async def open_connection(address: Address, name: str, make: Callable[[], Connection]) -> Connection:
    """Connect, authenticate and choose the database.

    Raises:
        OSError: the server cannot be reached, its certificate is invalid (`ssl.SSLError`), or another process than that
            of `Address.holds` answers in its place.
        StoreRefused: it rejects the credentials.
        ConfigError: the TLS files cannot be used.
    """
    transport, connection = await _connect(address, make)
    try:
        if address.holds is not None:
            await _meet(transport.get_extra_info("socket").fileno(), address.holds)
        await _greet(FreshConnection(connection), address, name)
    except BaseException:
        connection.drop("its handshake failed")
        raise
    return connection


async def _connect(address: Address, make: Callable[[], Connection]) -> tuple[asyncio.BaseTransport, Connection]:
    loop = asyncio.get_running_loop()
    if address.path is not None:
        return await loop.create_unix_connection(make, address.path)
    if address.tls is None:
        transport, connection = await loop.create_connection(make, address.host, address.port)
    else:
        verified = address.tls.verify is not Verification.NONE
        transport, connection = await loop.create_connection(
            make,
            address.host,
            address.port,
            ssl=address.tls.context(),
            server_hostname=address.tls.server_name or (address.host if verified else ""),
        )
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return transport, connection


async def _meet(own: int, holds: Callable[[socket.socket], bool]) -> None:
    """Return when the server's process holds the other end of our socket (S-87)."""
    with socket.socket(fileno=os.dup(own)) as ours:
        while not holds(ours):  # noqa: ASYNC110 - no event tells when a server accepts
            await asyncio.sleep(_POLL)


async def _greet(fresh: Commands, address: Address, name: str) -> None:
    answer = await fresh.request(b"HELLO", b"3", *_credentials(address), b"SETNAME", name)
    if not isinstance(answer, dict) or answer.get(b"proto") != 3:
        raise StoreRefused("the server does not speak RESP3", hint="use Valkey 8 or Redis 7.2, or newer")
    if address.database:
        await fresh.request(b"SELECT", address.database)


def _credentials(address: Address) -> tuple[Argument, ...]:
    """Never a variable: frames of errors are shown with those (S-79)."""
    if address.password is None:
        return ()
    return b"AUTH", address.username or "default", address.password.get_secret_value()
