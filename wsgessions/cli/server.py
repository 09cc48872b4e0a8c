"""``wsgessions server``: a supervised Valkey for applications on this and other hosts."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import WsgessionsError
from ..valkey.version import warning
from .exit_code import ExitCode

if TYPE_CHECKING:
    from ..embedded.connection import Connection, FsyncPolicy

__all__ = ["register"]

_SYNCED = {"everysec": "1s", "always": "always"}


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command("server")(server)


def server(
    directory: Annotated[Path, typer.Option("--dir", help="The store's directory; made if missing.")] = Path(
        ".wsgessions"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The TCP port.")] = 9510,
    bind: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="The address to listen on; beyond loopback, traffic is not encrypted."),
    ] = "127.0.0.1",
    fsync: Annotated[
        str, typer.Option(metavar="everysec|always", help="When to force changes to the disk: once a second, or each.")
    ] = "everysec",
) -> None:
    """Run the store: an embedded Valkey, supervised, with its append-only file on. Ctrl-C stops it.

    Applications on this host use it by its directory: WSGESSIONS_STORE_URL=embedded:DIR.
    Those on other hosts by --bind, the port, and the password in DIR/password.
    """
    address, policy = _address(bind), _policy(fsync)
    try:
        _serve(directory, str(address), port, policy)
    except WsgessionsError as error:
        print(f"wsgessions: {error}", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILURE) from error
    print("stopped", file=sys.stderr)


def _address(bind: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if bind == "localhost" else bind)
    except ValueError:
        message = f"{bind!r} is not a numeric address such as 127.0.0.1, 0.0.0.0 or ::1"
        raise typer.BadParameter(message, param_hint="--bind") from None


def _policy(fsync: str) -> FsyncPolicy:
    from ..embedded import FsyncPolicy

    try:
        return FsyncPolicy(fsync)
    except ValueError:
        message = f"{fsync!r} is neither everysec nor always"
        raise typer.BadParameter(message, param_hint="--fsync") from None


def _serve(place: Path, bind: str, port: int, fsync: FsyncPolicy) -> None:
    from ..embedded.binary import find_server
    from ..embedded.configuration import Doors
    from ..embedded.connection import ServedBy
    from ..embedded.directory import StoreDirectory
    from ..embedded.foreground import serve
    from ..embedded.launch import this_program
    from ..embedded.plan import Plan

    plan = Plan(
        server=str(find_server()),
        started_by=this_program(),
        fsync=fsync,
        doors=Doors.BOTH,
        port=port,
        bind=bind,
        served_by=ServedBy.SERVER,
    )
    serve(StoreDirectory(place), plan, _Screen(place, bind))


class _Screen:
    """Tells the person at the terminal: facts on stdout, progress and trouble on stderr."""

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
