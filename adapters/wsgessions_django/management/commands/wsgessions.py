"""``manage.py wsgessions``: the command line of wsgessions, with the settings of the project."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.checks import run_checks
from django.core.management.base import BaseCommand, CommandError, CommandParser

from wsgessions.cli import main
from wsgessions.cli.exit_code import ExitCode
from wsgessions.cli.visits import ask_store, examine_settings, visit
from wsgessions.errors import WsgessionsError
from wsgessions.store.contract import NEVER
from wsgessions_django.checks import TAG
from wsgessions_django.configuration import current_manager, settings_of_project
from wsgessions_django.waiting import wait

__all__ = ["Command"]


class Command(BaseCommand):
    """Runs one command and ends with its exit code; ``doctor`` runs Django's checks too."""

    help = (
        "Runs a command of wsgessions with this project's settings, such as `config show --origin`; `doctor` runs the "
        "checks of sessions, asks the store, and visits the URLs behind it."
    )
    # `doctor` runs the checks.
    requires_system_checks: tuple[str, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]

    def add_arguments(self, parser: CommandParser) -> None:
        """Take all that follows as arguments of wsgessions."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="a command of wsgessions, and its arguments")

    def handle(self, *, arguments: list[str], **options: Any) -> None:
        """Run the command."""
        if arguments[:1] == ["doctor"]:
            self._examine(arguments[1:])
        else:
            try:
                chosen = settings_of_project()
            except WsgessionsError as error:
                raise CommandError(str(error), returncode=ExitCode.of(error)) from error
            main(arguments, settings=chosen, name="manage.py wsgessions")

    def _examine(self, urls: list[str]) -> None:
        found = run_checks(tags=[TAG])
        for message in found:
            self.stdout.write(f"{'fail' if message.is_serious() else 'warn'}  {message}")
        try:
            manager = current_manager()
            self.stdout.write(str(examine_settings(manager.settings)))
            wait(manager, manager.start)
            for finding in wait(manager, lambda: ask_store(manager, deadline=NEVER)):
                self.stdout.write(str(finding))
        except WsgessionsError as error:
            raise CommandError(f"the store: {error}", returncode=ExitCode.of(error)) from error
        visited = list(visit(urls, manager.settings))
        for finding in visited:
            self.stdout.write(str(finding))
        if any(message.is_serious() for message in found) or any(each.verdict == "fail" for each in visited):
            raise CommandError("the checks have found errors", returncode=ExitCode.FAILURE)
