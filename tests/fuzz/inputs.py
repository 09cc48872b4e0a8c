"""What the fuzz targets are fed with: files that are kept, and what becomes of them by small changes.

A corpus is a folder of files, one input each. Those that `seeds` makes are written by
``python -m tests.fuzz --write-seeds``; the others were found, and are named for what they once did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"

LONGEST = 2048
"""Bytes of an input that was changed. What is larger is tried by cases of their own."""

_INTERESTING = (b"\0", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff" * 2, b"\x7f" + b"\xff" * 7, b"\xff" * 8, b"\0" * 8)


def corpus(target: str) -> dict[str, bytes]:
    """The kept inputs of a target, by the names of their files."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / target).iterdir())}


def joined(pieces: Sequence[bytes]) -> bytes:
    """Several pieces as one input: each with its length, two bytes, in front."""
    return b"".join(len(piece).to_bytes(2) + piece for piece in pieces)


def pieces(data: bytes) -> list[bytes]:
    """The pieces of an input, whatever it is: the last one ends where the input does."""
    found, at = [], 0
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        found.append(data[at + 2 : end])
        at = end
    return found


def altered(kept: Sequence[bytes], tokens: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Inputs that differ a little from kept ones, and some that were never like them.

    Args:
        kept: what to begin with.
        tokens: what the reader in question looks for.
    """
    words = st.sampled_from((*tokens, *_INTERESTING))
    edits = st.lists(
        st.tuples(st.integers(0, LONGEST), st.integers(0, 16), st.one_of(words, st.binary(max_size=8))),
        max_size=4,
    )
    begun = st.sampled_from(list(kept)) if kept else st.just(b"")
    return st.one_of(
        st.builds(_edited, begun, edits),
        st.builds(_edited, begun, edits),
        st.builds(_spliced, begun, begun, st.integers(0, LONGEST), st.integers(0, LONGEST)),
        st.lists(words, max_size=12).map(b"".join),
        st.binary(max_size=80),
    )


def _edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Each edit puts its bytes at a place, over as many as it says."""
    for place, over, new in edits:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + over :]
    return data[:LONGEST]


def _spliced(one: bytes, other: bytes, end: int, begin: int) -> bytes:
    return (one[: end % (len(one) + 1)] + other[begin % (len(other) + 1) :])[:LONGEST]


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """The input in one piece, in bytes, and in two pieces at each place."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
