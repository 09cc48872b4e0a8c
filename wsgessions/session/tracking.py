"""How a session knows what has changed: which values were handed out or set, and the bytes they rest on.

A value that can change in place, such as a list, is compared with its bytes when the session is committed, so that
``session["cart"].append(x)`` needs no further word (R-03). One that is not touched is never decoded, never encoded
again and never sent.
"""

from __future__ import annotations

from _collections_abc import dict_keys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final

from ..codec import check_name, decode, encode, is_immutable
from ..errors import CodecError, WsgessionsError
from ..internal.masked import Encoded, forget_variables
from ..record import NO_ATTRIBUTES, StoredAttributes
from ..record.names import shared
from .changes import OPEN, UNCHANGED, UNTOUCHED, AttributeChanges, AttributeView, Changes, Gate
from .lazy_values import LazyValue
from .shadowing import own_names, tell_author

__all__ = ["TrackedAttributes"]


# The storage itself, past the methods of `Attributes`. `super()` would find the same, at three times the cost.
_get: Final = dict[str, Any].get
_set: Final = dict[str, Any].__setitem__
_pop: Final = dict[str, Any].pop
_update: Final = dict[str, Any].update
_has: Final = dict[str, Any].__contains__


class TrackedAttributes(dict[str, Any]):
    """The bookkeeping under `wsgessions.session.mapping.Attributes`, for the owner of a session."""

    __slots__ = ("_drafts", "_gate", "_overtaken", "_stored", "_unfolded", "_views", "_writes")

    _stored: StoredAttributes
    """What the store holds, as far as this object knows."""
    _drafts: dict[str, bytes | None]
    """Names whose values may differ from the store's, with the bytes they rest on; None where there were none."""
    _gate: Gate
    _views: dict[str, AttributeView]
    """Typed values that were handed out in place of an attribute; setting or removing the attribute ends them."""
    _overtaken: bool
    """Whether there were drafts when another state of the store came under them."""
    _writes: int
    """How often an attribute was set or removed."""
    _unfolded: bool
    """Whether all values have been asked for, so that nothing undecoded may be put in any more."""

    _own_names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._own_names = own_names(cls)

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        super().__init__()
        self._begin_tracking()
        for name, value in dict(values, **more).items():
            self._put(name, value)

    def _begin_tracking(self) -> None:
        self._stored = NO_ATTRIBUTES
        self._drafts = {}
        self._views = {}
        self._overtaken = False
        self._writes = 0
        self._unfolded = False
        self._gate = UNTOUCHED

    # -- for the owner -------------------------------------------------------------------------------------------------

    def _enter(self, *, write: bool) -> None:
        """Called before an access unless the gate is open: the place to take note of it, or to refuse it."""
        self._gate = OPEN

    def _before_read(self) -> None:
        if self._gate is not OPEN:
            self._enter(write=False)

    def _before_write(self) -> None:
        if self._gate is not OPEN:
            self._enter(write=True)

    def _rest_on(self, stored: StoredAttributes, among: Iterable[str] | None = None) -> None:
        """Take over what the store holds now. Values that were handed out or changed stay as they are.

        Args:
            stored: all of it.
            among: names of which nothing else has changed at the store, if that is known.
        """
        known = self._stored
        self._stored = stored
        placeholders, drafts = stored.placeholders(LazyValue.of), self._drafts
        if not known and not drafts:
            _update(self, placeholders)
        else:
            self._overtaken = self._overtaken or bool(drafts)
            for name in (*known, *stored) if among is None else among:
                if name not in drafts:
                    raw = stored.get(name)
                    if raw is None:
                        _pop(self, name, None)
                    elif known.get(name) != raw:
                        _set(self, name, placeholders[name])
        if self._unfolded:
            self._unfold()

    def _collect(self) -> AttributeChanges:
        """What differs from the store.

        Raises:
            CodecError: a value cannot be stored.
        """
        if self._views:
            self._draw_in()
        changed = Encoded()
        removed: list[str] = []
        for name in list(self._drafts):
            if _has(self, name):
                raw = encode(_get(self, name), name=name)
                if raw != self._drafts[name]:
                    changed[shared(name)] = raw
                del raw  # or else the frame of the next one's error would show it (S-80)
            elif self._drafts[name] is not None:
                removed.append(name)
        return AttributeChanges(changed, frozenset(removed))

    def _draw_in(self) -> None:
        """Take over what was changed in typed values.

        Raises:
            CodecError: a typed value is not valid any more, or cannot be stored.
        """
        for name, view in list(self._views.items()):
            value = view.changes()
            if value is not UNCHANGED:
                self._take_over_from(view, name, value)
            del value

    def _take_over_from(self, view: AttributeView, name: str, value: Any) -> None:
        try:
            self._before_write()
            self._put(name, value)
        except WsgessionsError as error:
            del value
            forget_variables(error)
            raise
        self._views[name] = view

    def _settle(self, sent: Changes, *, at: int) -> None:
        """The store has accepted ``sent``: from now on the drafts rest on that.

        Args:
            sent: the changes.
            at: `_writes` when they were collected. If nothing was set since, what cannot change in place is no draft
                any more.
        """
        settled = at == self._writes
        for name, raw in sent.changed.items():
            if settled and is_immutable(_get(self, name)):
                self._drafts.pop(name, None)
            else:
                self._drafts[name] = raw
        for name in sent.removed:
            if name in self._names():
                self._drafts[name] = None
            else:
                self._drafts.pop(name, None)

    def _release_unchanged(self) -> AttributeChanges:
        """Let go of handed-out values that were not changed, for `_rest_on` to renew; the rest is returned."""
        pending = self._collect()
        for name in self._drafts.keys() - pending.changed.keys() - pending.removed:
            self._fold(name)
        self._views = {name: view for name, view in self._views.items() if name in pending.changed}
        return pending

    def _moved(self, sent: Changes) -> list[str]:
        """The names whose changes rest on another value than the store's present one."""
        if not self._overtaken:
            return []
        drafts, stored = self._drafts, self._stored
        return [name for name in (*sent.changed, *sent.removed) if name in drafts and drafts[name] != stored.get(name)]

    def _rebase(self, names: Iterable[str]) -> None:
        """From now on these names, if they were changed here, are compared with what the store holds now."""
        for name in names:
            if name in self._drafts:
                self._drafts[name] = self._stored.get(name)

    def _discard(self) -> None:
        """Forget all changes that the store has not accepted."""
        for name in list(self._drafts):
            self._fold(name)
        self._views = {}
        self._unfold()

    def _blank(self) -> None:
        """Become empty, resting on nothing."""
        super().clear()
        self._stored = NO_ATTRIBUTES
        self._drafts = {}
        self._views = {}

    def _restore(self, name: str) -> None:
        """Take the store's value again, as far as it is known here."""
        self._fold(name)
        self._unfold()

    def _fold(self, name: str) -> None:
        self._drafts.pop(name, None)
        self._views.pop(name, None)
        raw = self._stored.get(name)
        if raw is None:
            super().pop(name, None)
        else:
            super().__setitem__(name, LazyValue.of(raw, name))

    def _unfold(self) -> None:
        """Decode what was put in, if all values were asked for: a view of the storage itself may be in use."""
        for name, value in list(super().items()) if self._unfolded else ():
            if type(value) is LazyValue:
                with suppress(CodecError):  # raised when this attribute is asked for
                    self._decode(name, value)

    def _names(self) -> dict_keys[str, Any]:
        return super().keys()

    def _put(self, name: str, value: Any) -> None:
        check_name(name)
        if name in self._own_names:
            tell_author(name)
        self._writes += 1
        self._drafts.setdefault(name, self._stored.get(name))
        if self._views:
            self._views.pop(name, None)
        _set(self, name, value)

    def _drop(self, name: str) -> None:
        self._writes += 1
        self._views.pop(name, None)
        self._drafts.setdefault(name, self._stored.get(name))
        super().__delitem__(name)

    def _decode(self, name: str, undecoded: LazyValue) -> Any:
        value = decode(undecoded._raw, name=name)
        if not is_immutable(value):
            self._drafts[name] = undecoded._raw
        _set(self, name, value)
        return value

    def _decode_all(self) -> None:
        self._unfolded = True
        for name, value in list(super().items()):
            if type(value) is LazyValue:
                self._decode(name, value)
