"""A worker may be stopped between any two instructions: what others find then is whole, and the right thing."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FrameType
from typing import Any

import pytest

from tests.cache.off_heap.states import ANY, SMALL, Host, key_of, state
from wsgessions.cache.off_heap import OffHeap
from wsgessions.record import SessionRecord

BEFORE = {number: state(number, size=4000 + number % 3 * 400) for number in range(20)}
"""More than fits: the ring has turned, and each further record makes others give way."""


@contextmanager
def at_every_instruction(act: Callable[[], None], function: str = "") -> Iterator[None]:
    """Inside, ``act`` is called before each instruction that the tier executes, or one function of it."""
    calls = 0

    def concerns(code: CodeType) -> bool:
        return "off_heap" in code.co_filename and "tests" not in code.co_filename and function in {"", code.co_name}

    def count() -> None:
        nonlocal calls
        calls += 1
        act()

    # Of 3.12, settrace now and then tells of no instruction at all.
    watched = _traced if sys.version_info < (3, 12) else _monitored
    with watched(concerns, count):
        yield
    assert calls, "no instruction was seen"


@contextmanager
def _traced(concerns: Callable[[CodeType], bool], act: Callable[[], None]) -> Iterator[None]:
    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not concerns(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def _monitored(concerns: Callable[[CodeType], bool], act: Callable[[], None]) -> Iterator[None]:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    event = monitoring.events.INSTRUCTION

    def see(code: CodeType, _: int) -> Any:
        return act() if concerns(code) else monitoring.DISABLE

    monitoring.use_tool_id(monitoring.DEBUGGER_ID, __name__)
    monitoring.register_callback(monitoring.DEBUGGER_ID, event, see)
    monitoring.restart_events()
    monitoring.set_events(monitoring.DEBUGGER_ID, event)
    try:
        yield
    finally:
        monitoring.set_events(monitoring.DEBUGGER_ID, 0)
        monitoring.register_callback(monitoring.DEBUGGER_ID, event, None)
        monitoring.free_tool_id(monitoring.DEBUGGER_ID)


def full(host: Host) -> OffHeap:
    worker = host.tier()
    for record in BEFORE.values():
        worker.put(record)
    return worker


def put_newer(worker: OffHeap) -> None:
    worker.put(state(19, 2, size=4000))


def put_another(worker: OffHeap) -> None:
    worker.put(state(20, size=4000))


def put_one_too_large(worker: OffHeap) -> None:
    worker.put(state(19, 2, size=SMALL))


def discard(worker: OffHeap) -> None:
    worker.discard(key_of(19).digest)


CHANGES = [put_newer, put_another, put_one_too_large, discard, OffHeap.clear, OffHeap.close]


@pytest.mark.parametrize("change", CHANGES)
def test_a_sibling_reads_the_old_state_or_none_or_the_new_one_and_never_goes_back(
    host: Host, change: Callable[[OffHeap], None]
) -> None:
    worker, sibling = full(host), host.tier()
    host.look(worker, sibling)
    seen: dict[int, list[SessionRecord | None]] = {number: [] for number in range(21)}

    def read() -> None:
        for number, states in seen.items():
            found = sibling.get_shared(key_of(number), ANY)
            if not states or states[-1] != found:
                states.append(found)

    with at_every_instruction(read):
        change(worker)
    read()
    for number, states in seen.items():
        old, new = BEFORE.get(number), state(20, size=4000) if number == 20 else state(number, 2, size=4000)
        assert states in ([old], [None], [old, None], [None, new], [old, None, new]), number
    assert change is OffHeap.close or seen[19][-1] == worker.get_own(key_of(19))


@pytest.mark.parametrize("change", [put_newer, put_another])
def test_a_record_that_is_overwritten_while_it_is_copied_is_not_used(
    host: Host, change: Callable[[OffHeap], None]
) -> None:
    """The reader is stopped at each instruction, and meanwhile the ring goes round."""
    worker, sibling = full(host), host.tier()
    host.look(worker, sibling)
    for instruction in itertools.count():
        steps = itertools.count()

        def meddle(at: int = instruction, steps: Iterator[int] = steps) -> None:
            if next(steps) == at:
                change(worker)

        worker.put(BEFORE[19])
        with at_every_instruction(meddle):
            found = sibling.get_shared(key_of(19), ANY)
        assert found in (BEFORE[19], None, state(19, 2, size=4000))
        if next(steps) <= instruction:
            break
    assert instruction > 50


def begin_a_generation(worker: OffHeap) -> None:
    worker.clear()
    worker.renew(1e9)


def put_newer_in_the_same_place(worker: OffHeap) -> None:
    begin_a_generation(worker)
    worker.put(state(19, 2))


@pytest.mark.parametrize("change", [discard, put_newer, begin_a_generation, put_newer_in_the_same_place])
def test_what_is_removed_while_it_is_copied_is_not_given(host: Host, change: Callable[[OffHeap], None]) -> None:
    """However long the reader is stopped there: its sibling may have renewed its lease meanwhile (C-4)."""
    worker, sibling = host.tier(), host.tier()
    host.look(worker, sibling)
    for instruction in itertools.count():
        steps = itertools.count()

        def meddle(at: int = instruction, steps: Iterator[int] = steps) -> None:
            if next(steps) == at:
                change(worker)

        worker.clear()
        worker.renew(1e9)
        worker.put(state(19))
        with at_every_instruction(meddle, "_copied"):
            found = sibling.get_shared(key_of(19), ANY)
        if next(steps) <= instruction:
            break
        assert found != state(19)
    assert instruction > 10


@pytest.mark.parametrize("begin", [full, Host.tier])
@pytest.mark.parametrize("change", [put_newer, put_another, discard, OffHeap.clear])
def test_a_worker_that_was_interrupted_at_any_instruction_goes_on(
    host: Host, change: Callable[[OffHeap], None], begin: Callable[[Host], OffHeap]
) -> None:
    """Control-C, a full memory: an exception from nowhere costs entries at most."""
    for instruction in itertools.count():
        worker = begin(host)
        steps = itertools.count()

        def interrupt(at: int = instruction, steps: Iterator[int] = steps) -> None:
            if next(steps) == at:
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt), at_every_instruction(interrupt):
            change(worker)
        for record in BEFORE.values():
            worker.put(record)
        kept = [number for number, record in BEFORE.items() if worker.get_own(record.key) == record]
        assert kept == list(range(kept[0], 20))
        assert len(kept) > 10
        worker.close()
        if next(steps) <= instruction:
            break
    assert instruction > 20
