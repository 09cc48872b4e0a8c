"""Responses that no cache keeps, by their paths: the setting `no_store` (S-42)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .exchange import Exchange
from .types import Scope, Send

if TYPE_CHECKING:
    from ..credentials.presented import PresentedCredentials
    from ..manager import SessionManager
    from ..settings import SessionSettings
    from .id_resolver import SessionIdResolver

__all__ = ["exchange_of"]


class UnstoredExchange(Exchange):
    """An exchange of an application that has such paths; those of others need not look."""

    __slots__ = ()

    def __init__(
        self,
        manager: SessionManager,
        transport: SessionIdResolver,
        presented: PresentedCredentials,
        scope: Scope,
        send: Send,
    ) -> None:
        super().__init__(manager, transport, presented, scope, send)
        if transport.unstored.hold(scope):
            self.session._uncacheable = True


def exchange_of(settings: SessionSettings) -> type[Exchange]:
    """The class of exchanges for these settings."""
    return UnstoredExchange if settings.no_store else Exchange
