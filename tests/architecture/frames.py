"""Every Python function of the product that runs while something happens, in order, with how deep it is called.

`sys.setprofile` tells of each function that begins, and of each coroutine that goes on. A frame counts where it begins,
once, however often it waits. Comprehensions are no frames here: Python 3.11 gives them some, later Pythons do not.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import wsgessions

PRODUCT = Path(wsgessions.__file__).parent

_IN_OTHERS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})


class Frame(NamedTuple):
    """A function that has begun."""

    depth: int
    """The number of the product's frames that it runs in."""
    file: str
    function: str
    coroutines: int
    """The number of the product's coroutines that are nested here, itself included."""
    is_coroutine: bool


class Trace:
    """The frames of one event."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    @property
    def figures(self) -> dict[str, int]:
        """What the ratchets hold of it."""
        files = [frame.file for frame in self.frames]
        return {
            "frames": len(files),
            "files": len(set(files)),
            "changes of file": sum(one != other for one, other in pairwise(files)),
            "nested coroutines": max((frame.coroutines for frame in self.frames), default=0),
        }

    def __str__(self) -> str:
        return "\n".join(
            f"{'  ' * frame.depth}{frame.file}: {'async ' * frame.is_coroutine}{frame.function}"
            for frame in self.frames
        )

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Note what this thread runs inside of the block."""
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and _is_ours(frame) and _begins(frame):
            around = list(_around(frame))
            file = Path(frame.f_code.co_filename).relative_to(PRODUCT).as_posix()
            coroutines = sum(map(_is_coroutine, (frame, *around)))
            self.frames.append(Frame(len(around), file, frame.f_code.co_qualname, coroutines, _is_coroutine(frame)))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(f"{PRODUCT}/") and frame.f_code.co_name not in _IN_OTHERS


def _is_coroutine(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & inspect.CO_COROUTINE)


def _around(frame: FrameType) -> Iterator[FrameType]:
    outer = frame.f_back
    while outer is not None:
        if _is_ours(outer):
            yield outer
        outer = outer.f_back


def _begins(frame: FrameType) -> bool:
    """Whether this is the begin of a function, and not the rest of a coroutine or generator after a ``yield``.

    The instruction is RESUME in both cases; its argument is 0 for the former.
    """
    return frame.f_code.co_code[frame.f_lasti + 1] == 0
