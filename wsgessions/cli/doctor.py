"""``wsgessions doctor``: examines settings, store and running servers, and names what is wrong with its remedy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ..errors import WsgessionsError
from ..internal import real_time as time
from .exit_code import ExitCode
from .visits import Finding, ask_store, examine_settings, visit

if TYPE_CHECKING:
    from ..manager import SessionManager

__all__ = ["register"]

_PATIENCE: Final = 5.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="Pages of running servers that use the session, one of each server."),
    ] = None,
    application: Annotated[
        str | None,
        typer.Option("--app", metavar="MODULE:NAME", help="The application, for the settings that its code gives."),
    ] = None,
) -> None:
    """Examine the settings of this directory and environment, or of an application, the store, and running servers."""
    from ..manager import SessionManager
    from .application import manager_of_application

    manager = SessionManager(context.obj) if application is None else manager_of_application(application)
    settings = manager.settings
    print(examine_settings(settings))
    try:
        print(*asyncio.run(_ask_store(manager)), sep="\n")
    except WsgessionsError as error:
        print(Finding("fail", f"the store: {error}"))
        raise typer.Exit(ExitCode.of(error)) from error
    findings: list[Finding] = []
    for finding in visit(urls or [], settings):
        print(finding)
        findings.append(finding)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(ExitCode.FAILURE)


async def _ask_store(manager: SessionManager) -> list[Finding]:
    try:
        return await ask_store(manager, deadline=time.monotonic() + _PATIENCE)
    finally:
        await manager.close()
