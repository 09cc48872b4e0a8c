"""``wsgessions config``: the settings in force in this directory, and the source of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .table import as_table

if TYPE_CHECKING:
    from ..settings import SettingValue

__all__ = ["register"]

config: typer.Typer = typer.Typer(
    no_args_is_help=True, help="Show the settings that an application started here would have."
)


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    app.add_typer(config, name="config")


@config.command()
def show(
    context: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value came from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show all settings of this directory and environment, or of the project. Secrets are masked."""
    from ..settings import SessionSettings, effective_settings

    values = effective_settings(context.obj or SessionSettings())
    print(_as_json(values) if as_json else "\n".join(_as_table(values, with_origin=origin)))


def _as_json(values: Iterable[SettingValue]) -> str:
    settings = {each.name: {"value": each.value, "origin": each.origin} for each in values}
    return json.dumps({"settings": settings}, indent=2)


def _as_table(values: Sequence[SettingValue], *, with_origin: bool) -> Iterable[str]:
    table = [("SETTING", "VALUE", "ORIGIN"), *((each.name, each.value, each.origin) for each in values)]
    return as_table([row[: 3 if with_origin else 2] for row in table])
