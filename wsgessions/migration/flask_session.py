"""Reads the sessions of Flask-Session in Redis: MessagePack and JSON. Pickles are rejected (S-70)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..errors import ConfigError
from .in_redis import InRedis, RedisClient, Unreadable, mapping

__all__ = ["FlaskSessions", "SignedInRedis"]

_PICKLED: Final = b"\x80"
"""The start of pickles of protocol 2 and later. In MessagePack it is an empty mapping with nothing after it."""


class SignedInRedis(InRedis):
    """Sessions whose ids may be signed.

    Args:
        client: a client for the server with the sessions; the caller closes it.
        prefix: the prefix that the library puts before the id.
        signed_with: the application's ``SECRET_KEY`` if its ids are signed, ``SESSION_USE_SIGNER``; else None.
        salt: the salt of the library's signatures.
    """

    def __init__(self, client: RedisClient, *, prefix: str, signed_with: str | bytes | None, salt: str) -> None:
        super().__init__(client, prefix=prefix)
        self._signed = None
        if signed_with is not None:
            try:
                from .signed_ids import SignedIds
            except ImportError as error:
                raise ConfigError(str(error), setting="signed_with", hint="pip install itsdangerous") from error
            self._signed = SignedIds(signed_with, salt=salt)

    def _id_in(self, presented: str) -> str | None:
        if self._signed is None:
            return super()._id_in(presented)
        session_id = self._signed.verified(presented)
        return None if session_id is None else super()._id_in(session_id)


class FlaskSessions(SignedInRedis):
    """The sessions of Flask-Session 0.7 and later in Redis, as MessagePack or JSON.

    Args:
        client: a client for the server with the sessions; the caller closes it.
        prefix: ``SESSION_KEY_PREFIX``.
        signed_with: the application's ``SECRET_KEY`` if ``SESSION_USE_SIGNER`` is set; else None.
    """

    def __init__(
        self, client: RedisClient, *, prefix: str = "session:", signed_with: str | bytes | None = None
    ) -> None:
        super().__init__(client, prefix=prefix, signed_with=signed_with, salt="flask-session")

    def _content_of(self, raw: bytes) -> dict[str, Any]:
        if raw.startswith(_PICKLED) and len(raw) > 1:
            raise Unreadable(
                "it is pickled, and a pickle is never read, since it can run code; "
                "have Flask-Session 0.7 or later write it again first"
            )
        try:
            return mapping((msgspec.json if raw.startswith(b"{") else msgspec.msgpack).decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable("it is neither MessagePack nor JSON") from error
