"""Installs missing programs from Debian, without root."""

from __future__ import annotations

import shutil

from devtools.console import STATE, Trouble, run_logged

DEBIAN = STATE / "debian"


def comes_from_debian() -> bool:
    """Whether this machine has the tools that fetch and unpack a package of Debian's."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


def unpack_from_debian(package: str, otherwise: str) -> None:
    """Unpack the files of one package under .dev/debian, which needs no root."""
    (DEBIAN / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    options = (f"Dir::State::Lists={DEBIAN / 'lists'}", "Debug::NoLocking=1", "APT::Sandbox::User=")
    apt = ["apt-get", *(f"--option={option}" for option in options)]
    try:
        run_logged(f"asking Debian for {package} ...", *apt, "update")
        run_logged("fetching it ...", *apt, "download", package, folder=DEBIAN)
        run_logged("unpacking it ...", "dpkg-deb", "-x", next(DEBIAN.glob(f"{package}_*.deb")), DEBIAN)
    except Trouble as error:
        raise Trouble(str(error), otherwise) from None
