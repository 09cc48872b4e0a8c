"""``wsgessions server``: a supervised Valkey for applications on this and other hosts."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import WsgessionsError
from ..stores.valkey.client.versions import warning
from .exit_code import ExitCode

if TYPE_CHECKING:
    from ..stores.embedded.connection import Connection, FsyncPolicy

__all__ = ["register"]

_SYNCED = {"everysec": "1s", "always": "always"}


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command("server")(server)


def server(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            help="The store's directory; made if missing.",
            show_default="that of applications in this project without a setting",
        ),
    ] = None,
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The TCP port.")] = 9510,
    bind: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="The address to listen on; beyond loopback with --allow-clear-text only."),
    ] = "127.0.0.1",
    allow_clear_text: Annotated[
        bool,
        typer.Option("--allow-clear-text", help="Serve other hosts although nothing is encrypted, not the password."),
    ] = False,
    maxmemory: Annotated[
        str,
        typer.Option(
            metavar="SIZE", help="Data beyond this is refused, such as 2G.", show_default="half of the memory there is"
        ),
    ] = "0",
    fsync: Annotated[
        str, typer.Option(metavar="everysec|always", help="When to force changes to the disk: once a second, or each.")
    ] = "everysec",
) -> None:
    """Run the store: an embedded Valkey, supervised, with its append-only file on. Ctrl-C stops it.

    Applications on this host use it by its directory: WSGESSIONS_STORE_URL=embedded:DIR.
    Those on other hosts by --bind, the port, and the password in DIR/password.
    """
    address = _address(bind)
    if not (address.is_loopback or allow_clear_text):
        message = f"{address} is reachable from other hosts, and traffic, the password included, is not encrypted"
        raise typer.BadParameter(f"{message}: on a private network use --allow-clear-text", param_hint="--bind")
    plan = {"bind": str(address), "port": port, "fsync": _policy(fsync), "maxmemory": _size(maxmemory)}
    try:
        _serve(directory or _default_directory(), plan)
    except WsgessionsError as error:
        print(f"wsgessions: {error}", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILURE) from error
    print("stopped", file=sys.stderr)


def _default_directory() -> Path:
    from ..stores.embedded.default_directory import default_directory

    directory, here = default_directory(), Path.cwd()
    return directory.relative_to(here) if directory.is_relative_to(here) else directory


def _address(bind: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if bind == "localhost" else bind)
    except ValueError:
        message = f"{bind!r} is not a numeric address such as 127.0.0.1, 0.0.0.0 or ::1"
        raise typer.BadParameter(message, param_hint="--bind") from None


def _policy(fsync: str) -> FsyncPolicy:
    from ..stores.embedded import FsyncPolicy

    try:
        return FsyncPolicy(fsync)
    except ValueError:
        message = f"{fsync!r} is neither everysec nor always"
        raise typer.BadParameter(message, param_hint="--fsync") from None


def _size(text: str) -> int:
    from ..settings.units import parse_size
    from ..settings.values import check_maxmemory

    try:
        return check_maxmemory(parse_size(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--maxmemory") from None


def _serve(place: Path, options: dict[str, Any]) -> None:
    from ..stores.embedded.binary import find_server
    from ..stores.embedded.configuration import Doors
    from ..stores.embedded.connection import ServedBy
    from ..stores.embedded.directory import StoreDirectory
    from ..stores.embedded.foreground import serve
    from ..stores.embedded.launch import this_program
    from ..stores.embedded.plan import Plan

    plan = Plan(
        server=str(find_server()),
        started_by=this_program(),
        doors=Doors.BOTH,
        served_by=ServedBy.SERVER,
        **options,
    )
    serve(StoreDirectory(place), plan, _Screen(place, plan.bind))


class _Screen:
    """Prints to the terminal: facts on stdout, progress and errors on stderr."""

    def __init__(self, place: Path, bind: str) -> None:
        self._place = place
        self._bind = bind
        self._noted = ""
        self._is_told = False

    def starting(self, note: str) -> None:
        if note != self._noted:
            print(f"starting {note}", file=sys.stderr, flush=True)
        self._noted = note

    def ready(self, connection: Connection) -> None:
        if self._is_told:
            print("the store is ready again", file=sys.stderr, flush=True)
            return
        self._is_told = True
        for line in self._facts(connection):
            print(line)
        sys.stdout.flush()
        for text in self._cautions(connection):
            print(f"warning  {text}", file=sys.stderr, flush=True)

    def trouble(self, note: str) -> None:
        print(f"warning  {note}", file=sys.stderr, flush=True)

    def _facts(self, connection: Connection) -> list[str]:
        where = f"[{self._bind}]:{connection.port}" if ":" in self._bind else f"{self._bind}:{connection.port}"
        synced = _SYNCED[connection.fsync]
        return [
            f"store    valkey {connection.server_version}  valkey://{where}   data {self._place}  fsync {synced}",
            f"clients  WSGESSIONS_STORE_URL=embedded:{self._place.absolute()}   on this host",
            f"         user wsgessions, password in {self._place / 'password'}   for valkey://{where}",
        ]

    def _cautions(self, connection: Connection) -> list[str]:
        cautions = [warning("valkey", connection.server_version)]
        if not ipaddress.ip_address(self._bind).is_loopback:
            cautions.append(
                f"{self._bind} is reachable from other hosts, and traffic is not encrypted: private networks only"
            )
        return [caution for caution in cautions if caution]
