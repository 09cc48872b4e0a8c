"""The image, the Compose file and the manifests of Kubernetes: what they name exists, and what they start works."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.deployment.files import (
    DEPLOYMENT,
    PASSWORD,
    compose,
    container,
    dockerfile,
    environment,
    expand,
    manifests,
    pod,
    server_command,
)
from tests.deployment.running import container_shop, cookies_of, store
from tests.servers.nginx import PROGRAM
from tests.stores.embedded.watched import PATIENCE
from wsgessions.settings import SessionSettings

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
STORE, SHOP = manifests("store.yaml"), manifests("shop.yaml")


def store_of_kubernetes() -> list[str]:
    only = container(STORE["StatefulSet"])
    return [expand(argument, environment(only)) for argument in only["args"]]


SETTINGS = {"compose": SERVICES["shop-1"]["environment"], "kubernetes": environment(container(SHOP["Deployment"]))}
STORES = {
    "compose": (SERVICES["store"]["command"], "store:6379"),
    "kubernetes": (store_of_kubernetes(), "shop-store:6379"),
}


@pytest.fixture(params=sorted(STORES))
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of the application's containers, with their store at a port of loopback."""
    command, address = STORES[request.param]
    written = SETTINGS[request.param]
    assert address in written["WSGESSIONS_STORE_URL"]
    with store(command, tmp_path) as port:
        yield {**written, "WSGESSIONS_STORE_URL": written["WSGESSIONS_STORE_URL"].replace(address, f"127.0.0.1:{port}")}


# -- The image --------------------------------------------------------------------------------------------------


def test_the_image_has_the_files_that_it_copies_and_the_port_that_it_serves() -> None:
    copied = [arguments.split()[0] for name, arguments in dockerfile() if name == "COPY"]
    assert copied
    assert [file for file in copied if not (DEPLOYMENT / file).is_file()] == []
    (port,) = (arguments for name, arguments in dockerfile() if name == "EXPOSE")
    assert server_command()[server_command().index("--port") + 1] == port


def test_a_stop_ends_the_server_of_the_image_without_an_error(settings: dict[str, str], tmp_path: Path) -> None:
    with container_shop(settings, tmp_path, count=1) as shop:
        (process,) = shop.processes
        process.send_signal(signal.SIGTERM)
        process.wait()
        log = (tmp_path / f"log-{shop.ports[0]}").read_text()
        assert "Finished server process" in log
        assert "Traceback" not in log


# -- The same for Compose and Kubernetes -----------------------------------------------------------------------


def test_their_settings_are_complete_for_production(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    in_force = SessionSettings()
    assert (in_force.env, in_force.namespace) == ("production", "shop")
    unknown = [
        name
        for name in settings
        if name.startswith("WSGESSIONS_") and name[11:].lower() not in in_force.__class__.model_fields
    ]
    assert unknown == []


def test_their_servers_share_a_session_and_answer_the_probes(settings: dict[str, str], tmp_path: Path) -> None:
    with container_shop(settings, tmp_path) as shop, httpx2.Client(timeout=PATIENCE, trust_env=False) as client:
        one, two = (f"http://127.0.0.1:{port}" for port in shop.ports)
        answer = client.post(f"{two}/cart/milk", headers=cookies_of(client.post(f"{one}/cart/tea")))
        assert answer.json()["cart"] == ["tea", "milk"]
        for path in probed_paths():
            assert client.get(f"{one}{path}").status_code == 200


def probed_paths() -> set[str]:
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    return {container(SHOP["Deployment"])[probe]["httpGet"]["path"] for probe in probes}


def test_their_store_lets_no_client_in_without_the_password(settings: dict[str, str]) -> None:
    assert PASSWORD in settings["WSGESSIONS_STORE_URL"]
    commands = [command for command, _ in STORES.values()]
    assert [command[command.index("--requirepass") + 1] for command in commands] == [PASSWORD, PASSWORD]


# -- Compose ----------------------------------------------------------------------------------------------------


def test_what_compose_mounts_and_builds_from_exists() -> None:
    folder = DEPLOYMENT / "compose"
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert [path for path in mounted if path.startswith("..") and not (folder / path).is_file()] == []
    assert {path for path in mounted if not path.startswith("..")} == {"./tls", *compose()["volumes"]}
    assert (folder / SERVICES["shop-1"]["build"] / "Dockerfile").is_file()


def test_the_services_of_compose_reach_each_other_and_nothing_else_reaches_the_store() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert networks == {
        **{name: {"web", "sessions"} for name in ("shop-1", "shop-2")},
        "store": {"sessions"},
        "nginx": {"web"},
    }
    assert compose()["networks"]["sessions"] == {"internal": True}
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]


def test_the_health_check_of_compose_finds_out_whether_the_server_serves(
    settings: dict[str, str], tmp_path: Path
) -> None:
    kind, program, *arguments = SERVICES["shop-1"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    with container_shop(settings, tmp_path, count=1) as shop:
        own = [argument.replace(":8000/", f":{shop.ports[0]}/") for argument in arguments]
        assert own != arguments
        assert subprocess.run([sys.executable, *own], check=False).returncode == 0
    assert subprocess.run([sys.executable, *own], check=False, stderr=subprocess.DEVNULL).returncode == 1


@pytest.mark.skipif(PROGRAM is None, reason="no nginx; `./dev caches` gets one")
@pytest.mark.parametrize("settings", ["compose"], indirect=True)
def test_the_site_of_compose_goes_on_when_a_server_is_killed(settings: dict[str, str], tmp_path: Path) -> None:
    with (
        container_shop(settings, tmp_path) as shop,
        shop.behind_nginx("upstream-compose.conf", ["shop-1:8000", "shop-2:8000"]) as site,
    ):
        assert [site.buys(item) for item in ("tea", "milk", "bread")][-1] == ["tea", "milk", "bread"]
        served = [(tmp_path / f"log-{port}").read_text().count("POST /cart") for port in shop.ports]
        assert min(served) > 0, "nginx has sent all requests to one server"
        shop.kill_one()
        assert [site.buys(item) for item in ("jam", "salt")][-1] == ["tea", "milk", "bread", "jam", "salt"]


@pytest.mark.skipif(PROGRAM is None, reason="no nginx; `./dev caches` gets one")
@pytest.mark.parametrize("settings", ["compose"], indirect=True)
def test_the_site_has_the_strict_cookie_and_leads_to_https(settings: dict[str, str], tmp_path: Path) -> None:
    with (
        container_shop(settings, tmp_path) as shop,
        shop.behind_nginx("upstream-compose.conf", ["shop-1:8000", "shop-2:8000"]) as site,
    ):
        answer = site.browser.post("/cart/tea")
        assert answer.headers["set-cookie"].startswith("__Host-sid")
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
        moved = httpx2.get(f"{site.http}/cart?x=1", timeout=PATIENCE, trust_env=False)
        assert (moved.status_code, moved.headers["location"]) == (308, "https://127.0.0.1/cart?x=1")


# -- Kubernetes -------------------------------------------------------------------------------------------------


def test_the_selectors_of_kubernetes_find_the_pods() -> None:
    for workload, *others in (
        [STORE["StatefulSet"], STORE["Service"]["spec"]["selector"], STORE["NetworkPolicy"]["spec"]["podSelector"]],
        [SHOP["Deployment"], SHOP["Service"]["spec"]["selector"], SHOP["PodDisruptionBudget"]["spec"]["selector"]],
    ):
        labels = pod(workload)["metadata"]["labels"]
        selectors = [workload["spec"]["selector"], *others]
        assert [selector.get("matchLabels", selector) for selector in selectors] == [labels] * 3
    ((allowed,),) = (rule["from"] for rule in STORE["NetworkPolicy"]["spec"]["ingress"])
    assert allowed["podSelector"]["matchLabels"] == pod(SHOP["Deployment"])["metadata"]["labels"]


def test_the_ports_of_kubernetes_are_those_of_the_containers() -> None:
    for workload, service in ((STORE["StatefulSet"], STORE["Service"]), (SHOP["Deployment"], SHOP["Service"])):
        ports = {port["name"]: port["containerPort"] for port in container(workload)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} == set(ports)
    assert str(ports["http"]) == server_command()[server_command().index("--port") + 1]
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    assert {container(SHOP["Deployment"])[probe]["httpGet"]["port"] for probe in probes} == set(ports)
    (rule,) = SHOP["Ingress"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    (served,) = SHOP["Service"]["spec"]["ports"]
    assert (backend["name"], backend["port"]["name"]) == (SHOP["Service"]["metadata"]["name"], served["name"])


def test_the_user_of_the_image_is_the_one_that_kubernetes_runs_it_as() -> None:
    (user,) = (arguments for name, arguments in dockerfile() if name == "USER")
    assert str(pod(SHOP["Deployment"])["spec"]["securityContext"]["runAsUser"]) == user
