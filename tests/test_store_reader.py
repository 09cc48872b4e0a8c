"""What stands in the store lets none of its readers in (S-08).

Everything there may be known, from a dump or an old backup: names and contents of records, and the key of the
watermarks, which is kept there where the settings name no secrets.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from tests.asgi_driver import Browser, answering
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server
from wsgessions.credentials.identity import Identity, new_session_id
from wsgessions.credentials.watermark import WatermarkSeal
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.record import SessionKey
from wsgessions.session import Session

__all__ = ["shared_server"]

NAMESPACE = "reader"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Dump(NamedTuple):
    """What a reader of the store needs of it."""

    secret: bytes
    victim: SessionKey

    def own_id(self) -> str:
        """An id that no session has, in the victim's segment."""
        return ALPHABET[self.victim.prefix >> 6] + ALPHABET[self.victim.prefix & 63] + new_session_id()[2:]


@pytest.fixture
async def manager(shared_server: RawServer) -> AsyncIterator[SessionManager]:
    manager = SessionManager(store_url=shared_server.url, namespace=NAMESPACE)
    yield manager
    await manager.close()


async def dumped(manager: SessionManager, server: RawServer) -> Dump:
    """A user has logged in, and the store is read."""

    def log_in(session: Session) -> None:
        session.bind_user("alice")

    await Browser().request(SessionMiddleware(answering(log_in), manager=manager))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.path)
        (name,) = (key for key in ask(client, "KEYS", f"{NAMESPACE}:*:s:*") if ask(client, "HEXISTS", key, "m"))
        (prefix,) = struct.unpack_from(">H", ask(client, "HGET", name, "p"), 8)
        return Dump(ask(client, "GET", f"{NAMESPACE}:mac"), SessionKey(prefix, name[-16:]))


def keyed(secret: bytes, body: bytes) -> bytes:
    """What `WatermarkSeal` computes with a key."""
    key = hashlib.blake2b(secret, digest_size=32, person=b"wsgessions:mark").digest()
    return hashlib.blake2b(body, digest_size=16, key=key, person=b"wsgessions:mark").digest()


async def seen_with(manager: SessionManager, session_id: str, mark: str) -> object:
    browser = Browser(**{"__Host-sid": session_id, "__Host-sid-v": mark})
    app = SessionMiddleware(answering(lambda session: session.principal), manager=manager)
    return (await browser.request(app)).data


async def test_the_key_of_the_watermarks_leads_to_no_session(manager: SessionManager, shared_server: RawServer) -> None:
    """S-08, C-23: not even as what follows a rotation of unknown outcome; that takes the new id itself."""
    dump = await dumped(manager, shared_server)
    own = dump.own_id()
    old = Identity(NAMESPACE, "/").key(own)
    key_id = hashlib.blake2b(dump.secret, digest_size=1, person=b"wsgessions:keyid").digest()[0]
    head = struct.pack(">BB", 2, key_id)
    by_key = head + dump.victim.digest
    as_id = (own[:2] + dump.victim.digest.hex() + "0" * 9).encode()
    marks = [
        base64.urlsafe_b64encode(by_key + keyed(dump.secret, by_key + old.digest)).decode().rstrip("="),
        base64.urlsafe_b64encode(head + keyed(dump.secret, head + old.digest + as_id)).decode() + as_id.decode(),
        WatermarkSeal([dump.secret]).seal(2**64 - 1, 2**53 - 1),
    ]
    assert [await seen_with(manager, own, mark) for mark in marks] == [None] * len(marks)
