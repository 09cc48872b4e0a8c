"""One attribute of a session as a typed value: validated when it is read, written back when it was changed.

```python
CART = TypedAttribute("cart", Cart)  # Cart: a pydantic model, a dataclass, list[Line], whatever pydantic validates

cart = CART.of(session)
cart.lines[0].quantity += 1  # the commit finds this change
```

It is stored as plain data under the names of the fields, so ``session["cart"]`` reads it in any framework.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Any, Final, Generic, TypeVar, cast, get_origin

from pydantic import AnyUrl, TypeAdapter, ValidationError

from ..codec import check_name, encode, plain_data
from ..codec.refusals import key_step, type_name
from ..errors import CodecError
from ..internal.masked import forgetful
from . import Session
from .changes import UNCHANGED
from .mapping import unit_of

__all__ = ["TypedAttribute"]

T = TypeVar("T")

_MISSING: Final = object()
_OWN_WORDS: Final = frozenset({"value_error", "assertion_error"})
"""Kinds of pydantic's errors whose text comes from the application and may quote the value."""
_AS_TEXT: Final = (
    PurePath,
    AnyUrl,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
"""Types that are stored as their text, from which validation restores them."""


class TypedAttribute(Generic[T]):
    """A name and a type.

    Args:
        name: the attribute's name.
        kind: the type; anything that pydantic can validate.
        default_factory: makes the value if the session has no such attribute. By default ``kind`` is called without
            arguments, or the value is None if ``kind`` allows it. A default is stored only after a change.

    Raises:
        CodecError: no attribute can have this name.
        TypeError: there is no default without ``default_factory``.
    """

    __slots__ = ("_adapter", "_make_default", "kind", "name")

    def __init__(self, name: str, kind: type[T], *, default_factory: Callable[[], T] | None = None) -> None:
        self.name: str = check_name(name)
        self.kind: type[T] = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._make_default = default_factory or self._find_default()

    def of(self, session: Session) -> T:
        """The attribute's value in this session; the same object for every call within a request.

        Changes in it, nested ones too, are sent to the store with the next commit, as plain data. Setting or removing
        the attribute by its name, `Session.refresh` and `Session.invalidate` detach the value from the session: read it
        again.

        Raises:
            CodecError: the stored value is no valid ``kind`` any more. It stays in the store, and other attributes are
                not affected (R-25).
        """
        unit = unit_of(session)
        unit.before_read()
        view = unit.views.get(self.name)
        if not isinstance(view, _View) or view.attribute.kind != self.kind:
            view = unit.views[self.name] = _View(self, self._read(session))
            unit.may_be_pending = True
        value: T = view.value
        return value

    @forgetful
    def _read(self, session: Session) -> T:
        unit_of(session).collect_views(session)
        stored = session.get(self.name, _MISSING)
        return self._make_default() if stored is _MISSING else self.validate(stored)

    @forgetful
    def validate(self, plain: object) -> T:
        """Make the value from plain data.

        Raises:
            CodecError: it is not valid; ``path`` says where.
        """
        try:
            return self._adapter.validate_python(plain, by_alias=True, by_name=True)
        except ValidationError as error:
            codec_error = self._trouble(error)
        # Outside of the except clause, so that no traceback refers to the values that pydantic's error quotes (S-80).
        raise codec_error

    @forgetful
    def plain(self, value: T) -> object:
        """The plain data of a value.

        Raises:
            CodecError: there is none.
        """
        dumped = self._adapter.dump_python(value, by_alias=False, round_trip=True, warnings="none")
        return plain_data(dumped, name=self.name, to_plain=_to_plain)

    def _trouble(self, error: ValidationError) -> CodecError:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        steps = (f"[{step}]" if isinstance(step, int) else key_step(step) for step in first["loc"])
        reason = first["type"] if first["type"] in _OWN_WORDS else first["msg"]
        return CodecError(f"no valid {self._kind_name()}: {reason}", path=self.name + "".join(steps))

    def _kind_name(self) -> str:
        kind = cast("object", self.kind)  # `int | None` and the like are no classes
        return type_name(kind) if isinstance(kind, type) else str(kind)

    def _find_default(self) -> Callable[[], T]:
        kind: Any = get_origin(self.kind) or self.kind
        for make in (kind, _nothing):
            try:
                self._adapter.validate_python(make())
            except (TypeError, ValidationError):
                continue
            return make
        raise TypeError(f"attribute {self.name!r} needs a default_factory: {self.kind!r} takes arguments")


def _nothing() -> Any:
    return None


class _View:
    """A value that was returned for an attribute."""

    __slots__ = ("_raw", "attribute", "value")

    @forgetful
    def __init__(self, attribute: TypedAttribute[Any], value: Any) -> None:
        self.attribute = attribute
        self.value = value
        self._raw = encode(attribute.plain(value), name=attribute.name)

    @forgetful
    def changes(self) -> Any:
        plain = self.attribute.plain(self.value)
        raw = encode(plain, name=self.attribute.name)
        if raw == self._raw:
            return UNCHANGED
        self.attribute.validate(plain)
        self._raw = raw
        return plain


def _to_plain(value: Any) -> Any:
    """What is left by pydantic, see `wsgessions.codec.ToPlain`."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _AS_TEXT):
        return str(value)
    raise TypeError
