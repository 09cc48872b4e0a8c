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
    from ..settings import SessionSettings

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
) -> None:
    """Examine the settings of this directory and environment, the store, and running servers."""
    from ..settings import SessionSettings

    settings: SessionSettings = context.obj or SessionSettings()
    print(examine_settings(settings))
    try:
        print(*asyncio.run(_ask_store(settings)), sep="\n")
    except WsgessionsError as error:
        print(Finding("fail", f"the store: {error}"))
        raise typer.Exit(ExitCode.of(error)) from error
    findings: list[Finding] = []
    for finding in visit(urls or [], settings):
        print(finding)
        findings.append(finding)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(ExitCode.FAILURE)


async def _ask_store(settings: SessionSettings) -> list[Finding]:
    from ..manager import SessionManager

    manager = SessionManager(settings)
    try:
        return await ask_store(manager, deadline=time.monotonic() + _PATIENCE)
    finally:
        await manager.close()
