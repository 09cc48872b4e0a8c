"""The units of systemd: systemd accepts them, and what they start works."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deployment.files import DEPLOYMENT, unit
from tests.deployment.running import PROGRAMS, Shop, running, with_options
from tests.servers.nginx import PROGRAM
from tests.servers.ports import held_port
from tests.stores.embedded.watched import Place

UNITS = sorted(path.name for path in (DEPLOYMENT / "systemd").iterdir())
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze; it is in Debian's package systemd")
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    for name in UNITS:  # it wants the programs to exist
        text = (DEPLOYMENT / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/shop/venv/bin/", f"{PROGRAMS}/"))
    units = [tmp_path / name.replace("@.", "@8001.") for name in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_both_units_name_the_directory_that_is_made_for_them() -> None:
    store, shop = unit("shop-store.service"), unit("shop@.service")
    assert store["StateDirectory"] == shop["StateDirectory"]
    directory = f"/var/lib/{store['StateDirectory'][0]}"
    assert f"--dir {directory} " in store["ExecStart"][0]
    assert f"WSGESSIONS_STORE_URL=embedded:{directory}" in shop["Environment"]
    assert store["User"] == shop["User"]


def test_the_ports_of_nginx_are_instances_of_the_unit() -> None:
    upstream = (DEPLOYMENT / "nginx" / "upstream-host.conf").read_text()
    ports = re.findall(r"server 127\.0\.0\.1:(\d+);", upstream)
    assert len(ports) == 2
    assert " ".join(f"shop@{port}" for port in ports) in upstream
    assert "--port %i" in unit("shop@.service")["ExecStart"][0]


@pytest.mark.skipif(PROGRAM is None, reason="no nginx; `./dev caches` gets one")
def test_the_site_of_one_host_goes_on_without_a_server_and_without_the_unit_of_the_store(tmp_path: Path) -> None:
    settings = dict(each.split("=", 1) for each in unit("shop@.service")["Environment"])
    place = Place(tmp_path / "shop-store")
    settings["WSGESSIONS_STORE_URL"] = f"embedded:{place.path}"
    serve = shlex.split(unit("shop@.service")["ExecStart"][0])
    start = shlex.split(unit("shop-store.service")["ExecStart"][0])
    try:
        with (
            held_port() as port,
            running(with_options(start, dir=place.path, port=port), port, tmp_path) as store,
            Shop(tmp_path, settings).serving(serve, serve) as shop,
            shop.behind_nginx("upstream-host.conf", ["127.0.0.1:8001", "127.0.0.1:8002"]) as site,
        ):
            assert [site.buys(item) for item in ("tea", "milk")][-1] == ["tea", "milk"]
            shop.kill_one()
            assert [site.buys(item) for item in ("bread", "jam")][-1] == ["tea", "milk", "bread", "jam"]
            store.terminate()
            assert store.wait() == 0
            place.connection()  # of the store that the server runs in its place
            assert site.buys("salt") == ["tea", "milk", "bread", "jam", "salt"]
    finally:
        place.end_everything()
