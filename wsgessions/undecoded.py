"""The placeholder that stands in a session's own storage for an attribute that nobody has touched yet.

A session is a dict whose Python methods decode on first touch. Serializers written in C read a dict's storage directly,
past those methods, and meet the placeholder. So it poses as what all of them unfold by themselves: a member of an
`enum.Enum`, whose value is the decoded attribute. orjson and msgspec go by the metaclass and ask for ``value`` and
``_value_``; pydantic asks ``__pydantic_serializer__`` first.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic_core import SchemaSerializer, core_schema

from .codec import decode

__all__ = ["Undecoded", "Unreadable", "Withheld"]


class Unreadable:
    """Stands for an attribute whose bytes cannot be read. orjson does not know the type, and refuses it by its name."""

    __slots__ = ()


class Undecoded(enum.Enum):
    """One attribute's bytes, never changed and equal only to themselves. Made by `of`: an Enum cannot be called."""

    __pydantic_serializer__: ClassVar[SchemaSerializer]
    _raw: bytes
    _attribute: str

    @staticmethod
    def of(raw: bytes, name: str) -> Undecoded:
        """A placeholder for ``raw``, the encoded value of the attribute ``name``."""
        placeholder: Undecoded = object.__new__(Undecoded)
        object.__setattr__(placeholder, "_raw", raw)
        object.__setattr__(placeholder, "_attribute", name)
        return placeholder

    @property
    def raw(self) -> bytes:
        """The encoded value."""
        return self._raw

    @property
    def name(self) -> str:
        """The attribute's name."""
        return self._attribute

    def decoded(self) -> Any:
        """The attribute, decoded afresh by each call: no two requests ever share what can change (K-11).

        Raises:
            CodecError: the bytes cannot be read.
        """
        return decode(self._raw, name=self._attribute)

    @property
    def value(self) -> Any:
        """What `decoded` gives, for orjson only: in place of an error, an `Unreadable`.

        orjson takes for granted that an enum member has a value, and crashes the process where asking for it raises.
        """
        try:
            return self.decoded()
        except Exception:  # noqa: BLE001 - see above; the serializer refuses what it gets instead
            return Unreadable()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} attribute {self._attribute!r}: dict(session) has its value>"

    __str__ = __repr__

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return Undecoded.of, (self._raw, self._attribute)


class Withheld(Undecoded):
    """Stands in a session that could not be loaded, so that nobody in C takes it for an empty one (F-00a)."""

    _reason: Callable[[], Exception]

    @staticmethod
    def by(reason: Callable[[], Exception]) -> Withheld:
        """A placeholder that raises ``reason()`` whenever its value is asked for."""
        placeholder: Withheld = object.__new__(Withheld)
        object.__setattr__(placeholder, "_raw", b"")
        object.__setattr__(placeholder, "_attribute", "")
        object.__setattr__(placeholder, "_reason", reason)
        return placeholder

    def decoded(self) -> Any:
        raise self._reason()


def _decoded(placeholder: Undecoded) -> Any:
    return placeholder.decoded()


# A class statement of an Enum allows no name of this form, and these two are what serializers in C look for.
Undecoded._value_ = property(_decoded)
Undecoded.__pydantic_serializer__ = SchemaSerializer(
    core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_decoded))
)
