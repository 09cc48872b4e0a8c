"""The rules of coherence as functions from a history to what it breaks of them.

Each is blind to how the sessions came to be where they are: it reads histories, made up or real, and nothing else.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from tests.coherence.history import OWN, SCRIBBLE, TOKENS, Event, History, Op, Violation


def by_client(history: History) -> Iterator[History]:
    """The requests of each client, one after another as it sent them."""
    found: dict[str, History] = defaultdict(list)
    for event in history:
        if event.op is not Op.FLUSH:
            found[event.client].append(event)
    yield from found.values()


def lost_since(history: History, begun: float, until: float) -> bool:
    """Whether the store may have lost, before an instant, what it has had since another one."""
    return any(event.op is Op.FLUSH and begun <= event.ended and event.began <= until for event in history)


# -- K-01 --------------------------------------------------------------------------------------------------------------


def read_your_writes(history: History) -> Iterator[Violation]:
    """K-01: a client finds the last value that it was told is stored, or one that it sent later and knows nothing of.

    Holds for clients that send one request after another with cookies of their own. A session may only be missing
    after somebody has ended it, or after the store has lost it.
    """
    losses = [event for event in history if event.op is Op.FLUSH]
    ended_at = {event.presented: event.began for event in reversed(history) if event.op is Op.INVALIDATE}
    for events in by_client(history):
        known: int | None = None
        unknown: set[int] = set()
        begun = 0.0
        for event in events:
            if event.op in TOKENS and event.status != 200:
                unknown.add(event.token)
            if event.status != 200:
                continue
            if event.loaded is None:
                ended = ended_at.get(event.presented, float("inf")) <= event.ended
                excused = ended or lost_since(losses, begun, event.ended)
                if known is not None and not excused:
                    yield Violation("K-01", f"the session is not there, and held {known}", event)
                known, unknown, begun = None, set(), event.began
            value = event.content.get(OWN + event.client)
            if event.op in TOKENS:
                if value != event.token:
                    yield Violation("K-01", f"wrote {event.token} and was shown {value}", event)
                known, unknown = event.token, set()
            elif event.op is Op.INVALIDATE:
                known, unknown = None, set()
            elif value != known and value not in unknown and not event.rolled_back:
                yield Violation("K-01", f"found {value} where {known} had been written", event)
            elif value != known:
                known = value
                unknown = {token for token in unknown if value is None or token > value}


# -- K-04 --------------------------------------------------------------------------------------------------------------


def monotonic_reads(history: History) -> Iterator[Violation]:
    """K-04: no client sees an older state after a newer one, unless the older one is flagged as a rollback.

    Holds for clients that send one request after another with cookies of their own.
    """
    for events in by_client(history):
        seen: dict[int, int] = {}
        last: int | None = None
        for event in events:
            if event.status != 200 or event.incarnation is None:
                continue
            if event.incarnation != last and event.incarnation in seen:
                yield Violation("K-04", "came back to a session that it had left", event)
            last = event.incarnation
            if event.version < seen.get(last, 0) and not event.rolled_back:
                yield Violation("K-04", f"went back from version {seen[last]}", event)
            seen[last] = event.version


def one_content_per_version(history: History) -> Iterator[Violation]:
    """K-04, C-8: two contents never share incarnation and version.

    What a request that writes holds of an object that it was handed, is its own: others may have replaced it meanwhile.
    """
    whole: dict[tuple[int, int], str] = {}
    rest: dict[tuple[int, int], str] = {}
    for event in history:
        if event.status != 200 or event.incarnation is None:
            continue
        plain = {name: value for name, value in event.content.items() if not isinstance(value, list)}
        known = [(rest, plain)] if event.committed else [(rest, plain), (whole, event.content)]
        for contents, found in known:
            content = json.dumps(found, sort_keys=True)
            first = contents.setdefault((event.incarnation, event.version), content)
            if content != first:
                yield Violation("K-04", f"the version was seen before with {first}", event)
                break


def growing_versions(history: History) -> Iterator[Violation]:
    """K-04: of two commits, the one that began when the other was acknowledged has the higher version.

    An answer tells the version that it shows; after a broken link that may be a later one than it made itself.
    """
    for commits in _commits(history).values():
        acknowledged = sorted(commits, key=lambda event: event.ended)
        highest = list(accumulate((event.version for event in acknowledged), max))
        ends = [event.ended for event in acknowledged]
        for event in commits:
            before = bisect_right(ends, event.began)
            if before and highest[before - 1] >= event.version:
                yield Violation("K-04", f"the commit is not above version {highest[before - 1]}, stored earlier", event)


def _commits(history: History) -> dict[int, History]:
    found: dict[int, History] = defaultdict(list)
    for event in history:
        if event.committed and event.incarnation is not None:
            found[event.incarnation].append(event)
    return found


# -- C-4, S-60 ---------------------------------------------------------------------------------------------------------


def lags(history: History) -> Iterator[tuple[float, Event]]:
    """For each answer that shows less than the store had acknowledged: how long before it the newer state was there.

    Counts from the acknowledgement at the writing client to the instant at which the node began with the request, so
    that it never says more than the truth.
    """
    newer = {incarnation: _by_version(commits) for incarnation, commits in _commits(history).items()}
    for event in history:
        if not event.served or event.incarnation is None or event.incarnation not in newer:
            continue
        versions, earliest = newer[event.incarnation]
        place = bisect_right(versions, event.version)
        if place < len(versions) and event.arrived > earliest[place]:
            yield event.arrived - earliest[place], event


def _by_version(commits: History) -> tuple[list[int], list[float]]:
    """The versions in order, and for each the instant from which on it or a higher one was acknowledged."""
    ordered = sorted(commits, key=lambda event: event.version)
    earliest = list(accumulate((event.ended for event in reversed(ordered)), min))
    return [event.version for event in ordered], earliest[::-1]


def bounded_staleness(history: History, bound: float) -> Iterator[Violation]:
    """C-4: nobody is shown a state that was replaced more than ``bound`` seconds before the request."""
    for lag, event in lags(history):
        if lag > bound:
            yield Violation("C-4", f"shown {lag:.3f} s after a newer state was acknowledged", event)


def fresh_when_asked(history: History) -> Iterator[Violation]:
    """C-11, C-15: a request that refreshes, or shows no watermark, sees all that was acknowledged before it."""
    for lag, event in lags(history):
        if event.op is Op.REFRESH or not event.marked:
            yield Violation("C-11", f"asked the store, and was shown what was replaced {lag:.3f} s before", event)


# -- K-08 --------------------------------------------------------------------------------------------------------------


def endings(history: History) -> dict[int, float]:
    """When each session that was invalidated, rotated away or lost was acknowledged to be over, by incarnation."""
    over: dict[int, float] = {}
    begun: dict[int, float] = {}
    for event in history:
        for incarnation in (event.loaded, event.incarnation):
            if incarnation is not None:
                begun[incarnation] = min(event.began, begun.get(incarnation, event.began))
    for event in history:
        if event.op is Op.FLUSH:
            lost = [incarnation for incarnation, instant in begun.items() if instant < event.began]
        elif event.op in {Op.INVALIDATE, Op.ROTATE} and event.served and event.incarnation != event.loaded:
            lost = [event.loaded] if event.loaded is not None else []
        else:
            lost = []
        for incarnation in lost:
            over[incarnation] = min(event.ended, over.get(incarnation, event.ended))
    return over


def afterlives(history: History) -> list[float]:
    """For each session that was ended, how long afterwards it was last served, in order; 0 where it was not."""
    over = endings(history)
    longest = dict.fromkeys(over, 0.0)
    for event in history:
        if event.served and event.loaded in over:
            longest[event.loaded] = max(longest[event.loaded], event.arrived - over[event.loaded])
    return sorted(longest.values())


def no_resurrection(history: History, bound: float) -> Iterator[Violation]:
    """K-08: a session that is over is shown no more by requests that come ``bound`` seconds later, nor ever changed.

    Args:
        history: the history.
        bound: 0 where ending a session waits for the barrier; else what S-60 allows.
    """
    over = endings(history)
    for event in history:
        if not event.served or event.loaded not in over:
            continue
        late = event.arrived - over[event.loaded]
        if late > bound:
            yield Violation("K-08", f"served {late:.3f} s after the session was over", event)
        late = event.acted - over[event.loaded]
        if late > 0 and event.committed and event.incarnation == event.loaded:
            yield Violation("K-08", f"a commit was accepted {late:.3f} s after the session was over", event)


# -- K-09 --------------------------------------------------------------------------------------------------------------


class Timeouts(NamedTuple):
    """The deadlines in force, in seconds."""

    idle: float
    absolute: float
    touch: float
    """How late a touch may reach the store."""


TOLERANCE = 1.0
"""Seconds by which a session may end too early or too late (K-09)."""


class _Life(NamedTuple):
    """What is known of one session's deadlines after some requests."""

    earliest: float
    """Before this instant it must be served."""
    latest: float
    """After this instant it must not be."""
    absolute: tuple[float, float]

    def used(self, event: Event, timeouts: Timeouts) -> _Life:
        earliest = min(max(self.earliest, event.arrived + timeouts.idle), self.absolute[0])
        latest = min(max(self.latest, event.ended + timeouts.idle + timeouts.touch), self.absolute[1])
        return _Life(earliest, latest, self.absolute)


def deadlines(history: History, timeouts: Timeouts) -> Iterator[Violation]:
    """K-09: no session is served a second after its deadline, and none is refused a second before."""
    over = endings(history)
    lives: dict[int, _Life] = {}
    for event in sorted(history, key=lambda event: event.ended):
        if event.status != 200:
            continue
        life = lives.get(event.presented) if event.presented is not None else None
        if life is not None and event.loaded == event.presented and event.arrived > life.latest + TOLERANCE:
            yield Violation("K-09", f"served {event.arrived - life.latest:.3f} s after the deadline", event)
        refused = event.loaded is None and event.presented not in over
        if life is not None and refused and event.ended < life.earliest - TOLERANCE:
            yield Violation("K-09", f"refused {life.earliest - event.ended:.3f} s before the deadline", event)
        if event.incarnation is not None:
            born = (event.arrived + timeouts.absolute, event.ended + timeouts.absolute)
            if event.loaded is not None and event.loaded != event.incarnation and event.loaded in lives:
                born = lives[event.loaded].absolute  # a rotation keeps the deadline
            fresh = lives.get(event.incarnation, _Life(0.0, 0.0, born))
            lives[event.incarnation] = fresh.used(event, timeouts)


# -- K-11 --------------------------------------------------------------------------------------------------------------


def isolation(history: History) -> Iterator[Violation]:
    """K-11: what a request was handed is nobody else's, and what it changed and did not commit nobody sees."""
    for event in history:
        if event.aliased:
            yield Violation("K-11", "was handed an object that another request had", event)
        if SCRIBBLE in json.dumps(event.content):
            yield Violation("K-11", "sees what another request changed and never committed", event)


def sequential(history: History) -> list[Violation]:
    """Everything that holds where each client sends one request after another, with cookies of its own."""
    return [*read_your_writes(history), *monotonic_reads(history), *always(history)]


def always(history: History) -> list[Violation]:
    """Everything that holds whatever clients do."""
    found = [*one_content_per_version(history), *growing_versions(history), *isolation(history)]
    return [*found, *fresh_when_asked(history)]


def shown(violations: Iterable[Violation], most: int = 5) -> str:
    """The first violations as text, and how many there are; nothing if there are none."""
    found = list(violations)
    lines = [str(violation) for violation in found[:most]]
    return "\n".join([f"{len(found)} violations", *lines]) if found else ""
