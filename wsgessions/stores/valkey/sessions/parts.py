"""The parts that work on sessions, put together: each is given what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..coherence.replica_acks import Fence
from ..coherence.revocations import Revocations
from ..coherence.tracking import Tracking
from ..diagnostics import StoreDiagnostics
from ..sender import Sender
from .commit import Commits
from .end import Ends
from .former_ids import FormerIds
from .heads import Heads
from .listing import Lists
from .load import Loads
from .principal_index import PrincipalIndex
from .principals import Principals
from .touch import Uses

__all__ = ["SessionParts"]


class SessionParts:
    """The parts of one store object.

    Args:
        sender: of the store.
        tracking: of its link.
        fence: the acknowledgements of replicas.
        revocations: gets the keys that have ended for ever.
        diagnostics: gets the reasons why records were not used.
        grace_ms: see `DEFAULT_GRACE`.
        on_interval: see `Commits`.
    """

    def __init__(
        self,
        sender: Sender,
        tracking: Tracking,
        *,
        fence: Fence,
        revocations: Revocations,
        diagnostics: StoreDiagnostics,
        grace_ms: int,
        on_interval: Callable[[int], None],
    ) -> None:
        self.former_ids: Final = FormerIds(sender)
        self.uses: Final = Uses(sender, diagnostics, grace_ms=grace_ms)
        self.loads: Final = Loads(sender, tracking, self.uses, self.former_ids, revocations)
        self.commits: Final = Commits(
            sender, tracking, self.loads, revocations, diagnostics, grace_ms=grace_ms, on_interval=on_interval
        )
        self.index: Final = PrincipalIndex(sender)
        self.ends: Final = Ends(
            sender,
            tracking,
            self.index,
            fence=fence,
            revocations=revocations,
            diagnostics=diagnostics,
            grace_ms=grace_ms,
        )
        heads = Heads(sender, revocations)
        self.lists: Final = Lists(sender, heads)
        self.principals: Final = Principals(self.index, self.commits, heads)
