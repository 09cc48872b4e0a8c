"""Change tracking of a session: the values that were returned or set, and the bytes they are based on.

A value that can change in place, such as a list, is compared with its bytes when the session is committed, so that
``session["cart"].append(x)`` is enough (R-03). A value without an access is never decoded, never encoded again and
never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import repeat
from typing import Any, Final, TypeAlias

from ..codec import (
    CONTAINERS,
    SCALARS,
    ToPlain,
    check_name,
    decode,
    encode,
    is_immutable,
    no_further_types,
    plain_text,
)
from ..errors import CodecError, WsgessionsError
from ..internal.masked import Encoded, forget_variables
from ..record import NO_ATTRIBUTES, StoredAttributes
from ..record.names import shared
from ..record.struct import Struct, field
from .changes import OPEN, UNCHANGED, UNTOUCHED, Access, AttributeChanges, AttributeView, Changes
from .lazy_values import LazyValue, name_of, raw_of
from .shadowing import own_names, tell_author

__all__ = ["AttributeTracker", "Values", "names_in", "nothing_stored"]

Values: TypeAlias = dict[str, Any]
"""The storage of a session: a decoded value, or a `LazyValue`, by the name of each attribute."""

# The storage itself, bypassing the methods of `SessionMapping`. `super()` would do the same, at three times the cost.
_get: Final = dict[str, Any].get
_set: Final = dict[str, Any].__setitem__
_pop: Final = dict[str, Any].pop
_clear: Final = dict[str, Any].clear
_items: Final = dict[str, Any].items
_update: Final = dict[str, Any].update
_has: Final = dict[str, Any].__contains__

nothing_stored: Final[Callable[[], StoredAttributes]] = repeat(NO_ATTRIBUTES).__next__
"""Returns `NO_ATTRIBUTES`: for a struct it is a mutable value, which is no default. In C, as each request calls it."""

names_in: Final = dict[str, Any].keys
"""The names of the attributes in the storage; does not count as an access."""


class AttributeTracker(Struct):
    """The changes of the attributes in one storage, which is passed as an argument to avoid a reference cycle.

    The session refers to its tracker. If the tracker referred to the session in turn, each request would leave two
    objects to the garbage collector.
    """

    access: Access = UNTOUCHED
    stored: StoredAttributes = field(default_factory=nothing_stored)
    """The attributes in the store, as far as is known here."""
    baseline: dict[str, bytes | None] = {}  # noqa: RUF012 - a struct makes a new one for each object
    """Names whose values may differ from the store's, with the bytes they are based on; None without any."""
    views: dict[str, AttributeView] = {}  # noqa: RUF012
    """Typed values that were returned in place of an attribute; setting or removing the attribute ends them."""
    may_be_pending: bool = False
    """Whether there was a pending change that is not in `baseline`; never reset."""
    is_overtaken: bool = False
    """Whether the store's state has changed while there was a baseline."""
    writes: int = 0
    """The number of times that an attribute was set or removed."""
    is_decoded: bool = False
    """Whether all values were read, so that no undecoded value may be put into the storage any more."""
    to_plain: ToPlain | None = no_further_types
    """The further types of values that are stored as plain data; None if subclasses are rejected too. A framework adds
    its own by `store_too`."""

    # -- access --------------------------------------------------------------------------------------------------------

    def check_access(self, *, write: bool) -> None:
        """Called before an access unless access is open: records the access, or raises if it is not permitted."""
        self.access = OPEN

    def before_read(self) -> None:
        """Called before the attributes are read."""
        if self.access is not OPEN:
            self.check_access(write=False)

    def before_write(self) -> None:
        """Called before anything is changed."""
        if self.access is not OPEN:
            self.check_access(write=True)

    # -- single attributes ---------------------------------------------------------------------------------------------

    def put(self, values: Values, name: str, value: Any) -> None:
        """Set an attribute."""
        name = check_name(name)
        if name in own_names(type(values)):
            tell_author(name)
        self.writes += 1
        self.baseline.setdefault(name, self.stored.raw.get(name))
        if self.views:
            self.views.pop(name, None)
        _set(values, name, value)

    def drop(self, values: Values, name: str) -> None:
        """Remove an existing attribute."""
        if type(name) is not str:
            name = plain_text(name)
        self.writes += 1
        self.views.pop(name, None)
        self.baseline.setdefault(name, self.stored.raw.get(name))
        _pop(values, name)

    def decode(self, values: Values, name: str, undecoded: LazyValue) -> Any:
        """The value of an attribute that was not accessed yet; from now on it is checked for changes in place.

        Raises:
            CodecError: its bytes cannot be decoded.
        """
        raw = raw_of(undecoded)
        value = decode(raw, name=name)
        if type(value) in CONTAINERS and not is_immutable(value):
            self.baseline[name_of(undecoded)] = raw  # `name` may be a member of a StrEnum
        _set(values, name, value)
        return value

    def decode_all(self, values: Values) -> None:
        """Decode all attributes: a view of the storage itself is returned to the caller."""
        self.is_decoded = True
        for name, value in list(_items(values)):
            if type(value) is LazyValue:
                self.decode(values, name, value)

    def restore(self, values: Values, name: str) -> None:
        """Restore the store's value, as far as it is known here."""
        self._reset_to_lazy(values, name)
        self._decode_again(values)

    # -- what has changed ----------------------------------------------------------------------------------------------

    def store_too(self, to_plain: ToPlain) -> None:
        """Store values of further types as plain data, unless the setting ``strict_values`` rejects subclasses too.

        Args:
            to_plain: knows the types that the framework's own sessions accept.
        """
        if self.to_plain is not None:
            self.to_plain = to_plain

    def collect(self, values: Values) -> AttributeChanges:
        """The differences from the store.

        Raises:
            CodecError: a value cannot be stored.
        """
        if self.views:
            self.collect_views(values)
        changed = Encoded()
        removed: list[str] = []
        for name in list(self.baseline):
            if _has(values, name):
                raw = encode(_get(values, name), name=name, to_plain=self.to_plain)
                if raw != self.baseline[name]:
                    changed[shared(name)] = raw
                del raw  # or else the frame of the next value's error would show it (S-80)
            elif self.baseline[name] is not None:
                removed.append(name)
        return AttributeChanges(changed, frozenset(removed))

    def collect_views(self, values: Values) -> None:
        """Write the changes of typed values back.

        Raises:
            CodecError: a typed value is not valid any more, or cannot be stored.
        """
        for name, view in list(self.views.items()):
            value = view.changes()
            if value is not UNCHANGED:
                self._take_over_from(view, values, name, value)
            del value

    def _take_over_from(self, view: AttributeView, values: Values, name: str, value: Any) -> None:
        try:
            self.before_write()
            self.put(values, name, value)
        except WsgessionsError as error:
            del value
            forget_variables(error)
            raise
        self.views[name] = view

    def mark_committed(self, values: Values, sent: Changes, *, at: int) -> None:
        """The store has accepted ``sent``: from now on changes are relative to it.

        Args:
            values: the storage.
            sent: the changes.
            at: `writes` when they were collected. If nothing was set since, immutable values need not be compared any
                more.
        """
        is_current = at == self.writes
        for name, raw in sent.changed.items():
            value = _get(values, name)
            if is_current and (type(value) in SCALARS or is_immutable(value)):
                self.baseline.pop(name, None)
            else:
                self.baseline[name] = raw
        for name in sent.removed:
            if _has(values, name):
                self.baseline[name] = None
            else:
                self.baseline.pop(name, None)

    def conflicting_names(self, sent: Changes) -> list[str]:
        """The names whose changes are based on another value than the store's present one."""
        if not self.is_overtaken:
            return []
        baseline, stored = self.baseline, self.stored.raw
        changed = (*sent.changed, *sent.removed)
        return [name for name in changed if name in baseline and baseline[name] != stored.get(name)]

    # -- other states of the store -------------------------------------------------------------------------------------

    def rebase_onto(self, values: Values, stored: StoredAttributes, among: Iterable[str] | None = None) -> None:
        """Adopt the store's present state. Values that were returned or changed stay unchanged.

        Args:
            values: the storage.
            stored: all attributes in the store.
            among: the only names that may have changed in the store, if known.
        """
        known, present = self.stored.raw, stored.raw
        self.stored = stored
        placeholders, baseline = stored.placeholders(LazyValue.all_of), self.baseline
        if not known and not baseline:
            _update(values, placeholders)
        else:
            self.is_overtaken = self.is_overtaken or bool(baseline)
            for name in (*known, *present) if among is None else among:
                if name not in baseline:
                    raw = present.get(name)
                    if raw is None:
                        _pop(values, name, None)
                    elif known.get(name) != raw:
                        _set(values, name, placeholders[name])
        if self.is_decoded:
            self._decode_again(values)

    def accept_stored(self, names: Iterable[str]) -> None:
        """Compare these names, if they were changed here, with the store's present values from now on."""
        for name in names:
            if name in self.baseline:
                self.baseline[name] = self.stored.raw.get(name)

    def release_unchanged(self, values: Values) -> AttributeChanges:
        """Drop returned values that were not changed, for `rebase_onto` to renew; the changes are returned."""
        pending = self.collect(values)
        for name in self.baseline.keys() - pending.changed.keys() - pending.removed:
            self._reset_to_lazy(values, name)
        self.views = {name: view for name, view in self.views.items() if name in pending.changed}
        return pending

    def forget_changes(self, values: Values) -> None:
        """Forget all changes that the store has not accepted."""
        for name in list(self.baseline):
            self._reset_to_lazy(values, name)
        self.views = {}
        self._decode_again(values)

    def reset(self, values: Values) -> None:
        """Become empty, based on no state of the store."""
        _clear(values)
        self.stored = NO_ATTRIBUTES
        self.baseline = {}
        self.views = {}

    def _reset_to_lazy(self, values: Values, name: str) -> None:
        self.baseline.pop(name, None)
        self.views.pop(name, None)
        raw = self.stored.raw.get(name)
        if raw is None:
            _pop(values, name, None)
        else:
            _set(values, name, LazyValue.of(raw, name))

    def _decode_again(self, values: Values) -> None:
        """Decode the new values, if all values were read: a view of the storage itself may be in use."""
        for name, value in list(_items(values)) if self.is_decoded else ():
            if type(value) is LazyValue:
                with suppress(CodecError):  # raised when this attribute is read
                    self.decode(values, name, value)
