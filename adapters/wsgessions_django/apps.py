"""The package as an app of a project: in ``INSTALLED_APPS`` it adds system checks and commands."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["WsgessionsConfig"]


class WsgessionsConfig(AppConfig):
    """Its one model, which stands for live sessions in the admin, has no table: sessions are in no database."""

    name = "wsgessions_django"
    verbose_name: str = "Sessions"  # pyright: ignore[reportIncompatibleVariableOverride]

    def ready(self) -> None:
        """Register the checks."""
        from . import checks

        checks.register_all()
