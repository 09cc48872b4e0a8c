"""``wsgessions adapters``: the registered adapters, and whether they support the installed frameworks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from typing import Annotated, NamedTuple

import typer

from ..errors import ConfigError
from .table import as_table

__all__ = ["register"]


class Row(NamedTuple):
    """One adapter in the output."""

    name: str
    """The name for the setting `adapter`."""
    adapter: str
    """The path of its class."""
    package: str
    """The package that has registered it."""
    supports: str
    """The framework and its versions; empty if the adapter cannot be imported or declares none."""
    tested: str
    """The newest tested version."""
    installed: str
    """The installed version."""
    fits: str
    """Whether that is supported, or the reason why the adapter cannot be used."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(adapters)


def adapters(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """List the adapters that are registered here, with the framework versions that they support."""
    from ..install import registered

    rows = [_row(point) for _, point in sorted(registered().items())]
    if as_json:
        print(json.dumps({"adapters": [row._asdict() for row in rows]}, indent=2))
    else:
        print("\n".join(_as_text(rows)))


def _row(point: EntryPoint) -> Row:
    from ..framework_versions import Fit
    from ..install import load_adapter

    package = "" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    try:
        framework = getattr(load_adapter(point), "framework", None)
    except ConfigError as error:
        return Row(point.name, point.value, package, "", "", "", f"no: {error.hint or error}")
    if framework is None:
        return Row(point.name, point.value, package, "", "", "", "not declared")
    fit, installed = framework.fit(), framework.installed() or ""
    verdict = {Fit.FITS: "yes", Fit.UNTESTED: "yes, newer than tested", Fit.MISSING: "version unknown"}
    supports = f"{framework.distribution} {framework.supported}"
    return Row(
        point.name, point.value, package, supports, framework.tested, installed, verdict.get(fit, f"no: {fit.value}")
    )


def _as_text(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        yield "no adapters are registered: wsgessions is not installed here as a package"
        return
    yield from as_table([[name.upper() for name in Row._fields], *([each or "-" for each in row] for row in rows)])
