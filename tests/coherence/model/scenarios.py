"""Small configurations, each about one danger."""

from __future__ import annotations

from tests.coherence.model.browser import Ask, Kind
from tests.coherence.model.world import Scenario

__all__ = ["SCENARIOS"]

R, W, A, D = Kind.READ, Kind.WRITE, Kind.ADD, Kind.REMOVE


def _program(*asks: tuple[Kind, int]) -> tuple[Ask, ...]:
    return tuple(Ask(kind, node) for kind, node in asks)


SCENARIOS: dict[str, Scenario] = {
    "hop": Scenario((_program((W, 0), (R, 1)), _program((R, 1)))),
    "cold": Scenario((_program((W, 0), (R, 1)), _program((R, 1))), warm=(0,)),
    "creator": Scenario((_program((W, 1)), _program((R, 0))), warm=(1,), created_by_reader=True),
    "tabs": Scenario((_program((W, 0), (R, 1)), _program((A, 1), (R, 0)))),
    "same_node": Scenario((_program((W, 0), (D, 0)), _program((A, 0)), _program((R, 0)))),
    "forgetful": Scenario((_program((W, 0), (Kind.FORGET, 1)), _program((R, 1)))),
    "rotation": Scenario((_program((Kind.ROTATE, 0), (R, 1)), _program((W, 1), (R, 0)))),
    "end": Scenario((_program((Kind.DELETE, 0), (R, 0)), _program((R, 1), (R, 1)))),
    "logout": Scenario(
        (_program((Kind.LOGOUT, 0)), _program(*[(R, 1)] * 3)), {"step": 4, "tick": 3}, age=4, loose=True
    ),
    "barrier": Scenario((_program((Kind.LOGOUT, 0)), _program((R, 1))), {"step": 1, "tick": 1}, age=4, loose=True),
    "cut": Scenario((_program((W, 0), (A, 0)), _program((R, 1), (R, 1))), {"cut": 1, "ghost": 2}, loose=True),
    "rotated_again": Scenario((_program((W, 0)), _program((Kind.ROTATE, 0))), {"cut": 1, "ghost": 2}, loose=True),
    "cancel": Scenario((_program((W, 0), (R, 0)), _program((R, 0), (A, 1))), {"cancel": 2}, loose=True),
    "flush": Scenario((_program((W, 0)), _program((R, 1), (R, 1))), {"flushall": 1, "evict": 1}, loose=True),
    "untracked": Scenario((_program((W, 0), (R, 0)), _program((R, 1), (W, 1))), tracks=False),
    "noscript": Scenario((_program((W, 0), (R, 0)), _program((W, 1), (R, 1))), {"forget_scripts": 1}),
    "failover": Scenario(
        (_program((W, 0), (R, 0)), _program((A, 1), (R, 1), (R, 0))), {"failover": 1, "step": 1}, loose=True
    ),
    "demotion": Scenario(
        (_program((W, 0), (R, 1)), _program(*[(R, 1)] * 4)), {"demote": 1, "step": 6}, depth=90, loose=True
    ),
    "lost_history": Scenario(
        (_program(), _program((Kind.FORGET, 1)), _program((A, 0), (A, 0))),
        {"resync": 1},
        before=_program((W, 0), (R, 1)),
        remembered=1,
        loose=True,
    ),
    "silence": Scenario(
        (_program((W, 0)), _program(*[(R, 1)] * 4)), {"mute": 1, "step": 7}, depth=110, loose=True, counts=False
    ),
    "lapse": Scenario(
        (_program((W, 0), (W, 0)), _program(*[(R, 1)] * 4)), {"mute": 2, "unmute": 2, "step": 4}, depth=90, loose=True
    ),
    "late": Scenario(
        (_program((W, 0), (W, 1), (R, 0)), _program((R, 1), (A, 0))),
        {"late": 2, "cut": 1, "ghost": 2, "step": 1},
        patience=0.4,
        loose=True,
    ),
    "fork": Scenario(
        (_program((Kind.LOGOUT, 0)), _program((R, 1), (R, 1))),
        {"step": 3, "tick": 2},
        age=4,
        forked=True,
        loose=True,
    ),
    "emptied": Scenario(
        (_program((W, 0), (R, 1)), _program(*[(R, 1)] * 4)), {"emptied": 1, "step": 6}, depth=90, loose=True
    ),
    "swapped": Scenario(
        (_program((W, 0), (R, 1)), _program(*[(R, 1)] * 4)), {"swapped": 1, "step": 6}, depth=90, loose=True
    ),
    "slow": Scenario((_program((W, 0)), _program(*[(R, 1)] * 3)), {"step": 5}, depth=70, loose=True),
    "late_reply": Scenario((_program((W, 0)), _program((R, 1))), {"step": 5}, beating=(1,), loose=True),
    "idle": Scenario(
        (_program((R, 0), (Kind.TOUCH, 0), (R, 0)), _program((R, 1), (R, 1))), {"step": 4}, interval_ms=1600, loose=True
    ),
    "fine": Scenario((_program((W, 0), (R, 1)), _program((R, 1), (R, 0))), {"cut": 1}, fine=True, loose=True),
}
"""By name. Those that are ``loose`` have too many schedules to try all, and are wandered through."""
