"""The placeholder that stands in a session's own storage for an attribute that was not touched yet.

A session is a dict whose Python methods decode on first touch. Serializers written in C read a dict's storage directly,
past those methods, and meet the placeholder. So it poses as what all of them unfold by themselves: a member of an
`enum.Enum`, whose value is the decoded attribute. orjson and msgspec go by the metaclass and ask for ``value`` and
``_value_``; pydantic asks ``__pydantic_serializer__`` first.
"""

from __future__ import annotations

import enum
from abc import abstractmethod
from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar, Final, TypeVar, cast

from pydantic_core import SchemaSerializer, core_schema

from ..codec import decode

__all__ = ["CorruptValue", "LazyValue", "UnavailableValue", "raw_of"]

_Class = TypeVar("_Class")
_new = object.__new__


class CorruptValue:
    """Stands for an attribute whose bytes cannot be read. orjson does not know the type, and refuses it by its name."""

    __slots__ = ()


def _posing_as_enum(cls: type[_Class]) -> type[_Class]:
    """A subclass that has the metaclass of an Enum but no Enum among its bases, which would give each object a dict."""
    namespace: dict[str, Any] = {"__slots__": (), "_member_names_": [], "_member_map_": {}}
    namespace |= {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    posing: Any = type.__new__(enum.EnumMeta, cls.__name__, (cls,), namespace)
    return cast("type[_Class]", posing)


class _Placeholder:
    """What serializers in C ask for."""

    __slots__ = ()
    __pydantic_serializer__: ClassVar[SchemaSerializer]

    @abstractmethod
    def decoded(self) -> Any:
        """The value.

        Raises:
            WsgessionsError: there is none.
        """

    @property
    def _value_(self) -> Any:
        return self.decoded()

    @property
    def value(self) -> Any:
        """What `decoded` gives, for orjson only: in place of an error, an `CorruptValue`.

        orjson takes for granted that an enum member has a value, and crashes the process where asking for it raises.
        """
        try:
            return self.decoded()
        except Exception:  # noqa: BLE001 - see above; the serializer refuses what it gets instead
            return CorruptValue()


def _decoded(placeholder: _Placeholder) -> Any:
    return placeholder.decoded()


_Placeholder.__pydantic_serializer__ = SchemaSerializer(
    core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_decoded))
)


@_posing_as_enum
class LazyValue(_Placeholder):
    """One attribute's bytes, never changed and equal only to themselves. Made by `of`: an Enum cannot be called.

    It may stand in any number of sessions at once, since each look at it decodes afresh.
    """

    __slots__ = ("_attribute", "_raw")

    _raw: bytes
    _attribute: str

    @staticmethod
    def of(raw: bytes, name: str) -> LazyValue:
        """A placeholder for ``raw``, the encoded value of the attribute ``name``."""
        placeholder = _new(LazyValue)
        _set_raw(placeholder, raw)
        _set_attribute(placeholder, name)
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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} attribute {self.name!r}: dict(session) has its value>"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return LazyValue.of, (self._raw, self._attribute)


_slots_of_lazy: Final = vars(LazyValue.__mro__[1])
_set_raw: Final[Callable[[LazyValue, bytes], None]] = _slots_of_lazy["_raw"].__set__
_set_attribute: Final[Callable[[LazyValue, str], None]] = _slots_of_lazy["_attribute"].__set__
raw_of: Final[Callable[[LazyValue], bytes]] = attrgetter("_raw")
"""`LazyValue.raw`, without a call of Python's: every attribute of every request is decoded from it."""


@_posing_as_enum
class UnavailableValue(_Placeholder):
    """Stands in a session that could not be loaded, so that no code in C takes it for an empty one (F-00a)."""

    __slots__ = ("reason",)

    reason: Callable[[], Exception]
    """Makes the error."""

    @staticmethod
    def by(reason: Callable[[], Exception]) -> UnavailableValue:
        """A placeholder that raises ``reason()`` whenever its value is asked for."""
        placeholder = _new(UnavailableValue)
        placeholder.reason = reason
        return placeholder

    def decoded(self) -> Any:
        """Nothing.

        Raises:
            Exception: always, the reason.
        """
        raise self.reason()
