"""``manage.py clearsessions``: Django's command, which has nothing to do here and reports that."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.management.commands.clearsessions import Command as StockCommand

from wsgessions_django.engine import SessionStore

__all__ = ["Command"]


class Command(StockCommand):
    """In force if ``wsgessions_django`` precedes ``django.contrib.sessions``, which may also be left out."""

    help = "Ends expired sessions if the engine requires that; a store of wsgessions does it by itself."

    def handle(self, **options: Any) -> None:
        """Report that there is nothing to do, or run Django's command for another engine."""
        if issubclass(import_module(settings.SESSION_ENGINE).SessionStore, SessionStore):
            self.stdout.write("Nothing to clear: the store removes expired sessions by itself.")
        else:
            super().handle(**options)
