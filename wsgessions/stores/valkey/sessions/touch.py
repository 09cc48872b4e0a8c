"""Uses of sessions, which restart their idle time (C-16)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final

from ....errors import StoreRefused
from ....record import SessionKey
from ..client.replies import Reply
from ..client.requests import Packer
from ..diagnostics import StoreDiagnostics
from ..format.metadata import is_too_late
from ..format.segments import Segment
from ..format.session_scripts import TOUCH
from ..sender import ChangeRequest, Sender

__all__ = ["Uses"]

_TOUCHES_PER_SCRIPT: Final = 64
_SCRIPTS_PER_PIPELINE: Final = 32


class Uses:
    """Reports uses of sessions to the store.

    Args:
        sender: of the store.
        diagnostics: counts the sessions that were missing in their index.
        grace_ms: see `DEFAULT_GRACE`.
    """

    def __init__(self, sender: Sender, diagnostics: StoreDiagnostics, *, grace_ms: int) -> None:
        self._sender = sender
        self._diagnostics = diagnostics
        self._grace_ms = grace_ms

    async def touch(self, keys: Collection[SessionKey], deadline: float) -> None:
        """See `Store.touch`."""
        by_segment: defaultdict[Segment, list[bytes]] = defaultdict(list)
        for key in keys:
            segment = await self._sender.segment(key, deadline)
            by_segment[segment].append(segment.record(key))
        scripts = [
            (segment.expiries, *records[i : i + _TOUCHES_PER_SCRIPT])
            for segment, records in by_segment.items()
            for i in range(0, len(records), _TOUCHES_PER_SCRIPT)
        ]
        for i in range(0, len(scripts), _SCRIPTS_PER_PIPELINE):
            request = _Touches(
                deadline=deadline,
                clock=self._sender.clock,
                scripts=scripts[i : i + _SCRIPTS_PER_PIPELINE],
                grace_ms=self._grace_ms,
            )
            self._diagnostics.note_reindexed(sum(await self._sender.carry_out(request)))


class _Touches(ChangeRequest, kw_only=True, eq=False):
    """Several scripts, with the keys of each. Touches can be repeated: all of them are sent again if some came too
    late, or were refused for now.
    """

    scripts: Sequence[Sequence[bytes]]
    grace_ms: int
    replies: list[Reply] = []  # noqa: RUF012 - a struct makes a new one for each object

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """See `PendingRequest.pack`."""
        self.replies, arguments = [], (self.grace_ms, self.clock.not_after(self.deadline))
        return b"".join([packer.pack_script(TOUCH, keys, arguments, whole=whole) for keys in self.scripts])

    def take(self, reply: Reply) -> bool:
        """See `PendingRequest.take`."""
        self.replies.append(reply)
        if len(self.replies) != len(self.scripts):
            return False
        failed = (each for each in self.replies if isinstance(each, StoreRefused) or is_too_late(each))
        self.answer(next(failed, self.replies))
        return True
