"""The deployment files, as the programs that they are for read them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from tests.stores.embedded.watched import ROOT

DEPLOYMENT = ROOT / "docs" / "deployment"
PASSWORD = "of-the-store"


def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile: name and arguments."""
    text = re.sub(r"^#.*\n", "", (DEPLOYMENT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    pairs = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(name, arguments.strip()) for name, _, arguments in pairs]


def server_command() -> list[str]:
    """What the image runs."""
    (command,) = (json.loads(arguments) for name, arguments in dockerfile() if name == "CMD")
    return [str(part) for part in command]


def compose() -> dict[str, Any]:
    """The Compose file, with the password that it takes from `.env`."""
    text = (DEPLOYMENT / "compose" / "compose.yaml").read_text()
    return dict(yaml.safe_load(re.sub(r"\$\{STORE_PASSWORD:\?[^}]*\}", PASSWORD, text)))


def manifests(name: str) -> dict[str, dict[str, Any]]:
    """The objects of a file for Kubernetes, by their kind."""
    objects = list(yaml.safe_load_all((DEPLOYMENT / "kubernetes" / name).read_text()))
    kinds = {each["kind"]: dict(each) for each in objects}
    assert len(kinds) == len(objects)
    return kinds


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    """The pod of a Deployment or StatefulSet."""
    return dict(workload["spec"]["template"])


def container(workload: dict[str, Any]) -> dict[str, Any]:
    """Its only container."""
    (only,) = pod(workload)["spec"]["containers"]
    return dict(only)


def environment(container: dict[str, Any]) -> dict[str, str]:
    """The environment of a container, where each secret is the password; `$(NAME)` is expanded as Kubernetes does."""
    values: dict[str, str] = {}
    for entry in container["env"]:
        values[entry["name"]] = expand(entry["value"], values) if "value" in entry else PASSWORD
    return values


def expand(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], text)


def unit(name: str) -> dict[str, list[str]]:
    """The settings of a unit of systemd; one that is written several times has several values."""
    settings: dict[str, list[str]] = defaultdict(list)
    for key, value in re.findall(r"^(\w+)=(.*)$", (DEPLOYMENT / "systemd" / name).read_text(), re.MULTILINE):
        settings[key].append(value)
    return settings


def site(upstream: str, *, servers: dict[str, int], http: int, https: int, certificates: Path) -> str:
    """The site of nginx with one of the upstreams; ports and addresses are replaced by those of a test."""
    text = "".join((DEPLOYMENT / "nginx" / name).read_text() for name in (upstream, "shop.conf"))
    replaced = {f"server {address};": f"server 127.0.0.1:{port};" for address, port in servers.items()}
    replaced |= {"listen 80;": f"listen 127.0.0.1:{http};", "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;"}
    replaced["/etc/nginx/tls/"] = f"{certificates}/"
    for written, used in replaced.items():
        assert written in text
        text = text.replace(written, used)
    return text
