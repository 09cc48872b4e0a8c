"""A session's id for applications: the credential, as an object that never shows it (S-80)."""

from __future__ import annotations

import hashlib
import hmac
from typing import NoReturn, Self, TypeAlias

from pydantic import SecretStr
from pydantic_core import SchemaSerializer, core_schema

__all__ = ["AnyId", "SessionId", "bare"]


class SessionId(SecretStr):
    """The value of a client's cookie: a client that presents it is treated as the visitor.

    Only `get_secret_value` returns the text: ``str()``, ``repr()``, ``format()``, templates and JSON
    show three asterisks and a digest. The digest differs from session to session, so that a text which is built from an
    id by mistake, such as the key of a cache, differs between visitors. It cannot be turned into the id.

    Two ids are equal if their texts are, and an id equals its text; both comparisons take constant time (S-10). An id
    is found in a dict or set by its text too. All functions of wsgessions that take an id accept it. Like a `StoreUrl`
    it is not pickled: the bytes would hold the text.

    Args:
        text: the text, or an id.
    """

    def __init__(self, text: AnyId) -> None:
        super().__init__(bare(text))

    def _display(self) -> str:
        digest = hashlib.sha256(b"shown:" + _octets(self._secret_value)).hexdigest()
        return f"***{digest[:32]}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretStr | str):
            return NotImplemented
        return hmac.compare_digest(_octets(self._secret_value), _octets(bare(other)))

    def __hash__(self) -> int:
        return hash(self._secret_value)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __html__(self) -> str:
        """The text in templates, and in the JSON of Flask and Quart."""
        return str(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a session id is a credential and is not pickled; get_secret_value() gives its text")


SessionId.__pydantic_serializer__ = SchemaSerializer(
    core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(str))
)

AnyId: TypeAlias = str | SecretStr
"""An id as an argument: its text, or the object `Session.id`."""


def bare(session_id: AnyId) -> str:
    """The text of an id."""
    return session_id.get_secret_value() if isinstance(session_id, SecretStr) else session_id


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
