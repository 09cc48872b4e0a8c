"""A dict whose values are decoded at their first access.

The values of a stored session arrive as bytes, and each is decoded at its first access. The dict's own storage always
has every name, with a `LazyValue` for each value that is not decoded yet. Python code accesses the values through this
class and never gets a `LazyValue`; C code that reads the storage of a dict subclass directly (msgspec, orjson,
pydantic) reads the value of a `LazyValue`, as that of an enum member.
"""

from __future__ import annotations

from _collections_abc import dict_items, dict_keys, dict_values
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from operator import attrgetter
from typing import Any, ClassVar, Final, Self, SupportsIndex

from pydantic_core import SchemaSerializer, core_schema

from ..codec import check_name
from ..errors import WsgessionsError
from ..internal.masked import forget_variables, forgetful
from .changes import OPEN, UNTOUCHED
from .lazy_values import LazyValue
from .tracking import names_in
from .unit_of_work import UnitOfWork

__all__ = ["SessionMapping", "unit_of"]

_MISSING: Final = object()

# The storage itself, bypassing the methods here. `super()` would do the same, at three times the cost.
_get_item: Final = dict[str, Any].__getitem__
_get: Final = dict[str, Any].get


unit_of: Final[Callable[[SessionMapping], UnitOfWork]] = attrgetter("_unit")
"""The unit of work of a session's request; for this package and adapters, not for applications."""


def _as_dict(mapping: SessionMapping) -> dict[str, Any]:
    return mapping.copy()


class SessionMapping(dict[str, Any]):
    """The methods of a dict over tracked attributes. The base of `wsgessions.Session`, not for direct use."""

    __slots__ = ("__weakref__", "_unit")

    _unit: UnitOfWork

    __hash__ = None  # as in dict; set because __eq__ is defined here
    __pydantic_serializer__: ClassVar[SchemaSerializer] = SchemaSerializer(
        core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_as_dict))
    )

    # -- reading -------------------------------------------------------------------------------------------------------

    # The first access is recorded here, as `UnitOfWork.check_access` does it: most requests have no other one.

    def __getitem__(self, name: str) -> Any:
        unit = self._unit
        if unit.access is UNTOUCHED:
            unit.access, unit.is_accessed = OPEN, True
        elif unit.access is not OPEN:
            unit.check_access(write=False)
        value = _get_item(self, name)
        return unit.decode(self, name, value) if type(value) is LazyValue else value

    def get(self, name: str, default: Any = None) -> Any:
        unit = self._unit
        if unit.access is UNTOUCHED:
            unit.access, unit.is_accessed = OPEN, True
        elif unit.access is not OPEN:
            unit.check_access(write=False)
        value = _get(self, name, default)
        return unit.decode(self, name, value) if type(value) is LazyValue else value

    def __contains__(self, name: object) -> bool:
        self._unit.before_read()
        return super().__contains__(name)

    def __len__(self) -> int:
        self._unit.before_read()
        return super().__len__()

    # Overridden although it only delegates: dict(session) and {**session} read the values of a subclass through its
    # methods only if it defines __iter__, and copy the bare storage otherwise.
    def __iter__(self) -> Iterator[str]:
        self._unit.before_read()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._unit.before_read()
        return super().__reversed__()

    def keys(self) -> dict_keys[str, Any]:
        self._unit.before_read()
        return super().keys()

    def values(self) -> dict_values[str, Any]:
        self._unit.before_read()
        self._unit.decode_all(self)
        return super().values()

    def items(self) -> dict_items[str, Any]:
        self._unit.before_read()
        self._unit.decode_all(self)
        return super().items()

    def copy(self) -> dict[str, Any]:
        """A plain dict of the same values."""
        return dict(self.items())

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return deepcopy(self.copy(), memo)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (self.copy(),)

    def __eq__(self, other: object) -> bool:
        return self.copy() == (other.copy() if isinstance(other, SessionMapping) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __or__(self, other: Any) -> Any:
        return self.copy() | (other.copy() if isinstance(other, SessionMapping) else other)

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    # -- writing -------------------------------------------------------------------------------------------------------

    def __setitem__(self, name: str, value: Any) -> None:
        try:
            self._unit.before_write()
            self._unit.put(self, name, value)
        except WsgessionsError as error:
            del value  # from here on no frame of the error has it (S-80)
            forget_variables(error)
            raise

    def __delitem__(self, name: str) -> None:
        self._unit.before_write()
        if name not in names_in(self):
            raise KeyError(name)
        self._unit.drop(self, name)

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        self._unit.before_write()
        if name not in names_in(self):
            if default is _MISSING:
                raise KeyError(name)
            return default
        value = self[name]
        self._unit.drop(self, name)
        return value

    def popitem(self) -> tuple[str, Any]:
        self._unit.before_write()
        name = next(super().__reversed__(), None)
        if name is None:
            raise KeyError("popitem(): session is empty")
        return name, self.pop(name)

    @forgetful
    def setdefault(self, name: str, default: Any = None) -> Any:
        self._unit.before_write()
        if name not in names_in(self):
            self._unit.put(self, name, default)
        return self[name]

    @forgetful
    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:  # type: ignore[override]
        """As `dict.update`. All names are checked before the first value is set."""
        self._unit.before_write()
        incoming = dict(values, **more)
        for name in incoming:
            check_name(name)
        for name, value in incoming.items():
            self._unit.put(self, name, value)

    @forgetful
    def __ior__(self, values: Any) -> Self:  # type: ignore[override]
        self.update(values)
        return self

    def clear(self) -> None:
        """Remove all attributes; id, times and deadlines stay (R-06)."""
        self._unit.before_write()
        for name in list(names_in(self)):
            self._unit.drop(self, name)
