"""A dict whose values are decoded when somebody looks, and which knows afterwards what has changed.

The values of a stored session arrive as bytes. Each is decoded on its first touch; one that nobody touches is never
decoded, never encoded again and never sent. A value that can change in place, such as a list, is compared with its bytes
when the session is committed, so that ``session["cart"].append(x)`` needs no further word (R-03).

The dict's own storage always holds every name, and for a value not decoded yet an `Undecoded` in its place. All access
from Python goes through this class and never meets one; C code that reads the storage of a dict subclass directly
(msgspec, orjson, pydantic) asks it for its value, as it would an enum member.
"""

from __future__ import annotations

from _collections_abc import dict_items, dict_keys, dict_values
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, Final, Self, SupportsIndex

from pydantic_core import SchemaSerializer, core_schema

from .attribute_changes import UNCHANGED, AttributeChanges, AttributeView, Gate
from .codec import check_name, encode, is_immutable
from .undecoded import Undecoded

__all__ = ["Attributes"]

_NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})
_MISSING: Final = object()


class Attributes(dict[str, Any]):
    """See the module's text. Not for use by itself: `wsgessions.Session` is made of it."""

    __slots__ = ("_drafts", "_gate", "_stored", "_views")

    __hash__ = None  # as dict has it; named because __eq__ is defined here
    __pydantic_serializer__ = SchemaSerializer(
        core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(lambda self: dict(self)))
    )

    _stored: Mapping[str, bytes]
    """What the store holds, as far as this object knows."""
    _drafts: dict[str, bytes | None]
    """Names whose values may differ from the store's, with the bytes they rest on; None where there were none."""
    _gate: Gate
    _views: dict[str, AttributeView]
    """Typed values that were handed out in place of an attribute; setting or removing the attribute ends them."""

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        super().__init__()
        self._stored = _NOTHING
        self._drafts = {}
        self._views = {}
        self._gate = Gate.UNTOUCHED
        for name, value in dict(values, **more).items():
            self._put(name, value)

    # -- for the owner -------------------------------------------------------------------------------------------------

    def _enter(self, *, write: bool) -> None:
        """Called before an access unless the gate is open: the place to take note of it, or to refuse it."""
        self._gate = Gate.OPEN

    def _before_read(self) -> None:
        if self._gate is not Gate.OPEN:
            self._enter(write=False)

    def _before_write(self) -> None:
        if self._gate is not Gate.OPEN:
            self._enter(write=True)

    def _rest_on(self, stored: Mapping[str, bytes]) -> None:
        """Take over what the store holds now. Values that were handed out or changed stay as they are."""
        known = self._stored
        self._stored = stored
        if not known and not self._drafts:
            super().update(zip(stored, map(Undecoded.of, stored.values(), stored), strict=True))
            return
        for name, raw in stored.items():
            if name not in self._drafts and known.get(name) != raw:
                super().__setitem__(name, Undecoded.of(raw, name))
        for name in known.keys() - stored.keys() - self._drafts.keys():
            super().pop(name, None)

    def _collect(self) -> AttributeChanges:
        """What differs from the store.

        Raises:
            CodecError: a value cannot be stored.
        """
        self._draw_in()
        changed: dict[str, bytes] = {}
        removed: set[str] = set()
        for name, origin in list(self._drafts.items()):
            if name in self._names():
                raw = encode(super().__getitem__(name), name=name)
                if raw != origin:
                    changed[name] = raw
            elif origin is not None:
                removed.add(name)
        return AttributeChanges(changed, frozenset(removed))

    def _draw_in(self) -> None:
        """Take over what was changed in typed values.

        Raises:
            CodecError: a typed value is not valid any more, or cannot be stored.
        """
        for name, view in list(self._views.items()):
            value = view.changes()
            if value is not UNCHANGED:
                self._before_write()
                self._put(name, value)
                self._views[name] = view

    def _settle(self, sent: AttributeChanges) -> None:
        """The store has accepted ``sent``: from now on the drafts rest on that."""
        for name, raw in sent.changed.items():
            self._drafts[name] = raw
        for name in sent.removed:
            if name in self._names():
                self._drafts[name] = None
            else:
                self._drafts.pop(name, None)

    def _release_unchanged(self) -> AttributeChanges:
        """Let go of handed-out values that nobody has changed, so that `_rest_on` may renew them; the rest is returned."""
        pending = self._collect()
        for name in self._drafts.keys() - pending.changed.keys() - pending.removed:
            self._restore(name)
        self._views = {name: view for name, view in self._views.items() if name in pending.changed}
        return pending

    def _moved(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` whose changes rest on another value than the store's present one."""
        return [name for name in names if name in self._drafts and self._drafts[name] != self._stored.get(name)]

    def _rebase(self, names: Iterable[str]) -> None:
        """From now on these names, which were changed here, are compared with what the store holds now."""
        for name in self._moved(names):
            self._drafts[name] = self._stored.get(name)

    def _discard(self) -> None:
        """Forget all changes that the store has not accepted."""
        for name in list(self._drafts):
            self._restore(name)
        self._views = {}

    def _blank(self) -> None:
        """Become empty, resting on nothing."""
        super().clear()
        self._stored = _NOTHING
        self._drafts = {}
        self._views = {}

    def _restore(self, name: str) -> None:
        """Take the store's value again, as far as it is known here."""
        self._drafts.pop(name, None)
        self._views.pop(name, None)
        raw = self._stored.get(name)
        if raw is None:
            super().pop(name, None)
        else:
            super().__setitem__(name, Undecoded.of(raw, name))

    def _names(self) -> dict_keys[str, Any]:
        return super().keys()

    def _put(self, name: str, value: Any) -> None:
        check_name(name)
        self._drafts.setdefault(name, self._stored.get(name))
        self._views.pop(name, None)
        super().__setitem__(name, value)

    def _drop(self, name: str) -> None:
        self._views.pop(name, None)
        self._drafts.setdefault(name, self._stored.get(name))
        super().__delitem__(name)

    def _decode(self, name: str, undecoded: Undecoded) -> Any:
        value = undecoded.decoded()
        if not is_immutable(value):
            self._drafts[name] = undecoded.raw
        super().__setitem__(name, value)
        return value

    def _decode_all(self) -> None:
        for name, value in list(super().items()):
            if type(value) is Undecoded:
                self._decode(name, value)

    # -- reading -------------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        if self._gate is not Gate.OPEN:
            self._enter(write=False)
        value = super().__getitem__(name)
        return self._decode(name, value) if type(value) is Undecoded else value

    def get(self, name: str, default: Any = None) -> Any:
        if self._gate is not Gate.OPEN:
            self._enter(write=False)
        value = super().get(name, default)
        return self._decode(name, value) if type(value) is Undecoded else value

    def __contains__(self, name: object) -> bool:
        self._before_read()
        return super().__contains__(name)

    def __len__(self) -> int:
        self._before_read()
        return super().__len__()

    # Overridden although it only delegates: dict(session) and {**session} ask a subclass for its values only if it has
    # an __iter__ of its own, and copy the bare storage otherwise.
    def __iter__(self) -> Iterator[str]:
        self._before_read()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._before_read()
        return super().__reversed__()

    def keys(self) -> dict_keys[str, Any]:
        self._before_read()
        return super().keys()

    def values(self) -> dict_values[str, Any]:
        self._before_read()
        self._decode_all()
        return super().values()

    def items(self) -> dict_items[str, Any]:
        self._before_read()
        self._decode_all()
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
        return self.copy() == (other.copy() if isinstance(other, Attributes) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __or__(self, other: Any) -> Any:
        return self.copy() | (other.copy() if isinstance(other, Attributes) else other)

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    # -- writing -------------------------------------------------------------------------------------------------------

    def __setitem__(self, name: str, value: Any) -> None:
        self._before_write()
        self._put(name, value)

    def __delitem__(self, name: str) -> None:
        self._before_write()
        if name not in self._names():
            raise KeyError(name)
        self._drop(name)

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        self._before_write()
        if name not in self._names():
            if default is _MISSING:
                raise KeyError(name)
            return default
        value = self[name]
        self._drop(name)
        return value

    def popitem(self) -> tuple[str, Any]:
        self._before_write()
        name = next(super().__reversed__(), None)
        if name is None:
            raise KeyError("popitem(): session is empty")
        return name, self.pop(name)

    def setdefault(self, name: str, default: Any = None) -> Any:
        self._before_write()
        if name not in self._names():
            self._put(name, default)
        return self[name]

    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:  # type: ignore[override]
        """As `dict.update`. All names are checked before the first value is taken over."""
        self._before_write()
        incoming = dict(values, **more)
        for name in incoming:
            check_name(name)
        for name, value in incoming.items():
            self._put(name, value)

    def __ior__(self, values: Any) -> Self:  # type: ignore[override]
        self.update(values)
        return self

    def clear(self) -> None:
        """Remove all attributes; id, times and deadlines stay (R-06)."""
        self._before_write()
        for name in list(self._names()):
            self._drop(name)
