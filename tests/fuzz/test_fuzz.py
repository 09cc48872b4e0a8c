"""Whatever bytes come, from a client, the store, a cache or the link: what is promised holds (S-04, S-30, S-70, S-91).

Each run replays the corpora, which are kept as files, and then makes up as many inputs as a second allows; in CI the
same ones every time. ``./dev fuzz --minutes N`` goes on for longer, with new ones.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import steps
from tests.fuzz.inputs import CORPUS, altered, corpus, joined, pieces
from tests.fuzz.stored_seeds import SCORE
from tests.fuzz.targets import TARGETS, seeds

KEPT = [pytest.param(target, name, id=f"{target}/{name}") for target in TARGETS for name in corpus(target)]


@pytest.mark.parametrize(("target", "name"), KEPT)
def test_what_is_kept_is_no_trouble(target: str, name: str) -> None:
    """S-112: well-formed inputs, and those that once broke a promise."""
    TARGETS[target].check(corpus(target)[name])


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_resembles_it_is(target: str) -> None:
    """S-112."""
    check, tokens, examples = TARGETS[target]
    kept = list(corpus(target).values())
    run = given(altered(kept, tokens))(check)
    settings(max_examples=examples, suppress_health_check=list(HealthCheck))(run)()


def test_a_corpus_belongs_to_each_target_and_has_what_is_well_formed() -> None:
    """``python -m tests.fuzz --write-seeds`` writes the files anew, when a format has changed."""
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS) == set(seeds())
    for target, files in seeds().items():
        assert files.items() <= corpus(target).items()


@given(st.lists(st.binary(max_size=300), max_size=5), st.binary(max_size=40))
def test_pieces_are_what_was_joined_and_any_bytes_are_some(parts: list[bytes], rest: bytes) -> None:
    assert pieces(joined(parts)) == parts
    assert all(isinstance(piece, bytes) for piece in pieces(joined(parts) + rest))


LONG: dict[str, Callable[[int], bytes]] = {
    "cookie": lambda size: b"; ".join([b"__Host-sid=" + b"A" * 43, b'a="\\' * (size // 4)]),
    "cookie without end": lambda size: b"__Host-sid=" + b"A" * size,
    "cookie of blanks": lambda size: (b";" + b" " * 100) * (size // 101) + b"__Host-sid=",
    "header": lambda size: joined([b"\x01" + b"A" * (size % 60000), b"\x00" + b";" * (size % 60000)]),
    "watermark": lambda size: b"A" * size,
    "cursor": lambda size: b"A" * size,
    "codec": lambda size: b"\x91" * size,
    "codec of many members": lambda size: b"\xdd" + size.to_bytes(4) + b"\x90" * size,
    "codec of tuples": lambda size: b"\xdd" + (size // 4).to_bytes(4) + b"\xd6\x01\x91\xc0\xc0\xc0" * (size // 4),
    "record": lambda size: joined([SCORE, *(part for n in range(size // 8) for part in (b"a%d" % n, bytes(9)))]),
    "record with many commits": lambda size: joined([SCORE, b"m", corpus("record")["session"][14:73] + bytes(size)]),
    "members": lambda size: joined([bytes(18), bytes(10) + b"a" * size, SCORE]),
    "document": lambda size: b"wsd\x01\x92" + b"\x91" * size,
    "off_heap": lambda size: b"\xff" * size,
    "server_error": lambda size: b"ERR " + b", with args beginning with:" * (size // 27),
}
"""Of each reader, inputs of any size that give it much to do."""


@pytest.mark.parametrize("case", LONG)
def test_the_work_grows_no_faster_than_the_input(case: str) -> None:
    """S-30, S-31, S-72: counted in lines of Python that are run, not in time."""
    check = TARGETS[case.split(" ", maxsplit=1)[0]].check
    check(LONG[case](500))  # what is worked out once only
    small, large = (steps.taken(check, LONG[case](size)) for size in (2_000, 8_000))
    assert large <= 4 * small + 400
