"""The placeholder in a session's storage for an attribute that was not accessed yet.

A session is a dict whose Python methods decode at the first access. Serializers written in C read a dict's storage
directly, bypassing those methods, and find the placeholder. So it imitates a type that all of them unwrap: a member of
an `enum.Enum`, whose value is the decoded attribute. orjson and msgspec check the metaclass and read ``value`` and
``_value_``; pydantic reads ``__pydantic_serializer__`` first.
"""

from __future__ import annotations

import enum
from abc import abstractmethod
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, ClassVar, Final, TypeVar, cast

from pydantic_core import SchemaSerializer, core_schema

from ..codec import decode

__all__ = ["CorruptValue", "LazyValue", "UnavailableValue", "name_of", "raw_of"]

_Class = TypeVar("_Class")
_new = object.__new__


class CorruptValue:
    """Stands for an attribute whose bytes cannot be decoded. orjson rejects the type, and its error names it."""

    __slots__ = ()


def _posing_as_enum(cls: type[_Class]) -> type[_Class]:
    """A subclass with the metaclass of an Enum but without an Enum as base, which would give each object a dict."""
    namespace: dict[str, Any] = {"__slots__": (), "_member_names_": [], "_member_map_": {}}
    namespace |= {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    posing: Any = type.__new__(enum.EnumMeta, cls.__name__, (cls,), namespace)
    return cast("type[_Class]", posing)


class _Placeholder:
    """The members that serializers in C read."""

    __slots__ = ()
    __pydantic_serializer__: ClassVar[SchemaSerializer]

    @abstractmethod
    def decoded(self) -> Any:
        """The value.

        Raises:
            WsgessionsError: there is no value.
        """

    @property
    def _value_(self) -> Any:
        return self.decoded()

    @property
    def value(self) -> Any:
        """The result of `decoded`, for orjson only; instead of an error, a `CorruptValue`.

        orjson assumes that an enum member has a value, and crashes the process if reading it raises.
        """
        try:
            return self.decoded()
        except Exception:  # noqa: BLE001 - see above; the serializer rejects the returned object
            return CorruptValue()


def _decoded(placeholder: _Placeholder) -> Any:
    return placeholder.decoded()


_Placeholder.__pydantic_serializer__ = SchemaSerializer(
    core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_decoded))
)


@_posing_as_enum
class LazyValue(_Placeholder):
    """One attribute's bytes, immutable and equal only to themselves. Made by `of`: an Enum cannot be called.

    The same object may be in any number of sessions at once, since each access decodes again.
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

    @staticmethod
    def all_of(values: Mapping[str, bytes]) -> dict[str, LazyValue]:
        """A placeholder for each encoded value, by the name of its attribute."""
        placeholders: dict[str, LazyValue] = {}
        for name, raw in values.items():  # as `of`, which would take twice the time
            placeholders[name] = placeholder = _new(LazyValue)
            _set_raw(placeholder, raw)
            _set_attribute(placeholder, name)
        return placeholders

    @property
    def raw(self) -> bytes:
        """The encoded value."""
        return self._raw

    @property
    def name(self) -> str:
        """The attribute's name."""
        return self._attribute

    def decoded(self) -> Any:
        """The attribute, decoded again by each call: no two requests ever share a mutable value (K-11).

        Raises:
            CodecError: the bytes cannot be decoded.
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
"""`LazyValue.raw`, without a Python call: every attribute of every request is decoded from it."""
name_of: Final[Callable[[LazyValue], str]] = attrgetter("_attribute")
"""`LazyValue.name`, likewise."""


@_posing_as_enum
class UnavailableValue(_Placeholder):
    """Stands in a session that could not be loaded, so that no code in C reads it as an empty one (F-00a)."""

    __slots__ = ("reason",)

    reason: Callable[[], Exception]
    """Makes the error."""

    @staticmethod
    def by(reason: Callable[[], Exception]) -> UnavailableValue:
        """A placeholder that raises ``reason()`` at each access to its value."""
        placeholder = _new(UnavailableValue)
        placeholder.reason = reason
        return placeholder

    def decoded(self) -> Any:
        """Raise the reason.

        Raises:
            Exception: always.
        """
        raise self.reason()
