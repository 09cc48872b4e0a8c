"""What an error tracker would send of an error: the variables of all frames that it has passed through (S-80)."""

from __future__ import annotations

import pprint
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

import pytest

from .. import identity
from ..manager import creation, store_owner

__all__ = ["FrameWatch", "frames_of", "told_by", "variables_of"]

P = ParamSpec("P")

_DEPTH = 6
_IN_EACH_SCOPE = ("type", "path", "headers")
_TESTING = str(Path(__file__).parent)


class FrameWatch:
    """Looks for secrets in the frames of errors.

    Args:
        patch: has each id noted that is drawn from now on.
        secrets: what else must not be seen.
        left_out: beginnings of paths of files whose frames may hold secrets, as those of tests do.
    """

    def __init__(self, patch: pytest.MonkeyPatch, *secrets: str, left_out: tuple[str, ...] = ()) -> None:
        self.secrets: list[str] = list(secrets)
        self._left_out = (_TESTING, *left_out)
        for module in (creation, store_owner):
            patch.setattr(module, "new_session_id", self._noted(identity.new_session_id))
        patch.setattr(store_owner, "successor_id", self._noted(identity.successor_id))

    def _noted(self, draw: Callable[P, str]) -> Callable[P, str]:
        def drawn(*args: P.args, **named: P.kwargs) -> str:
            self.secrets.append(draw(*args, **named))
            return self.secrets[-1]

        return drawn

    def check(self, error: BaseException) -> None:
        """Refuse an error if a frame of ours, or of a framework, holds a secret; and if there is no such frame."""
        places = {frame.f_code.co_filename for frame in frames_of(error)}
        assert any(not place.startswith(self._left_out) for place in places), "there is no frame to look into"
        self.check_shown(error)

    def check_shown(self, error: BaseException) -> None:
        """Refuse an error if a frame of ours, or of a framework, holds a secret; there may be none, as in a task."""
        shown = [(where, text) for where, text in told_by(error) if not where.startswith(self._left_out)]
        found = {where for where, text in shown for secret in self.secrets if secret in text}
        assert not found, found

    @contextmanager
    def expecting(self, *kinds: type[BaseException]) -> Generator[None]:
        """Something of these kinds comes out, with frames that hold nothing."""
        with pytest.raises(kinds) as caught:
            yield
        self.check(caught.value)


def told_by(error: BaseException) -> Iterator[tuple[str, str]]:
    """Every variable as a text, with the place where it stands.

    The text is what ``repr()`` and `pprint` make of it, and what follows from looking into dicts, lists and tuples as
    Sentry and rich do. The request as the server gave it is left out: its Cookie header stands in the scope of every
    ASGI application, which `wsgessions.scrubbing` is for.
    """
    for frame in frames_of(error):
        for name, text in variables_of(frame):
            yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname} {name}", text


def variables_of(frame: FrameType) -> Iterator[tuple[str, str]]:
    """The variables of one frame, each in all the ways in which it may be told."""
    for name, value in list(frame.f_locals.items()):
        if not _is_scope(value):
            yield name, repr(_without_scopes(value))
            yield name, pprint.pformat(_without_scopes(value))
            yield name, _unfolded(value, _DEPTH)


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """The frames of an error, of its causes and contexts, and of the members of groups."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
        trace = each.__traceback__
        while trace is not None:
            yield trace.tb_frame
            trace = trace.tb_next


def _unfolded(value: Any, depth: int) -> str:
    tells = getattr(type(value), "__sentry_repr__", None)
    if _is_scope(value):
        return "<scope>"
    if tells is not None:
        return str(tells(value))
    if not depth or isinstance(value, str | bytes):
        return repr(value)
    if isinstance(value, Mapping):
        return " ".join(f"{_unfolded(k, 0)}: {_unfolded(each, depth - 1)}" for k, each in list(value.items()))
    if isinstance(value, Sequence | set | frozenset):
        return " ".join(_unfolded(each, depth - 1) for each in list(value))
    return repr(value)


def _without_scopes(value: Any) -> Any:
    """Plain containers without the scopes in them, for those print all that they hold."""
    if _is_scope(value):
        return "<scope>"
    if type(value) is dict:
        return {name: _without_scopes(each) for name, each in value.items()}
    if type(value) in {list, tuple}:
        return [_without_scopes(each) for each in value]
    return value


def _is_scope(value: Any) -> bool:
    """Whether it is the scope, or a request of Starlette or Litestar, which is a mapping of what its scope has."""
    return (isinstance(value, dict) and all(dict.__contains__(value, name) for name in _IN_EACH_SCOPE)) or (
        isinstance(value, Mapping) and hasattr(value, "scope")
    )
