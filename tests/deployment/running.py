"""The commands of the deployment files, as processes of a test."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import httpx2
import trustme

from tests.deployment.files import DEPLOYMENT, server_command, site
from tests.docs.test_snippets import environment
from tests.servers.nginx import nginx
from tests.servers.ports import held_port, wait_for
from tests.stores.embedded.watched import PATIENCE
from wsgessions.stores.embedded.binary import find_server

PROGRAMS = Path(sys.executable).parent


@contextmanager
def running(command: Sequence[str], port: int, folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, once it listens. Its programs are those of this environment."""
    program = str(find_server()) if command[0] == "valkey-server" else str(PROGRAMS / Path(command[0]).name)
    with (folder / f"log-{port}").open("wb") as log:
        process = subprocess.Popen(
            [program, *command[1:]],
            cwd=folder,
            env={**environment(folder / "state"), **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(port, process)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)


def with_options(command: Sequence[str], **options: object) -> list[str]:
    """The command with other values of some of its options, which it must have."""
    changed = list(command)
    for name, value in options.items():
        changed[changed.index(f"--{name}") + 1] = str(value)
    return changed


@contextmanager
def store(command: Sequence[str], folder: Path) -> Iterator[int]:
    """The port of a store that is started as in a container."""
    with held_port() as port, running([*command, "--port", str(port), "--bind", "127.0.0.1"], port, folder):
        yield port


class Shop:
    """The servers of a shop, and the ports that they listen on."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        shutil.copy(DEPLOYMENT / "shop.py", folder)
        self.folder = folder
        self.settings = settings
        self.ports: list[int] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def serving(self, *commands: Sequence[str]) -> Iterator[Shop]:
        """Start them; each command has the options `--host` and `--port`."""
        with ExitStack() as stack:
            for command in commands:
                port = stack.enter_context(held_port())
                own = with_options(command, host="127.0.0.1", port=port)
                self.processes.append(stack.enter_context(running(own, port, self.folder, **self.settings)))
                self.ports.append(port)
            yield self

    def kill_one(self) -> None:
        """End the first server as kill -9 does; its connections are closed then."""
        self.processes[0].kill()
        self.processes[0].wait(PATIENCE)

    @contextmanager
    def behind_nginx(self, upstream: str, addresses: Sequence[str]) -> Iterator[Site]:
        """nginx in front of them, with TLS, as the servers at these addresses of the file."""
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(self.folder / "shop.key")
        certificate.cert_chain_pems[0].write_to_path(self.folder / "shop.crt")
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        servers = dict(zip(addresses, self.ports, strict=True))
        with held_port() as http, held_port() as https:
            sites = site(upstream, servers=servers, http=http, https=https, certificates=self.folder)
            with nginx(sites, https, self.folder), Site(http, https, trusting) as visited:
                yield visited


def cookies_of(answer: httpx2.Response) -> dict[str, str]:
    """The header with which a browser returns the cookies of a response, although the request was over plain http."""
    return {"cookie": "; ".join(cookie.partition(";")[0] for cookie in answer.headers.get_list("set-cookie"))}


class Site:
    """A shop as a browser sees it."""

    def __init__(self, http: int, https: int, trusting: ssl.SSLContext) -> None:
        self.http = f"http://127.0.0.1:{http}"
        self.browser = httpx2.Client(
            base_url=f"https://127.0.0.1:{https}", verify=trusting, timeout=PATIENCE, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.browser.close()

    def buys(self, item: str) -> list[str]:
        """Put something into the cart; the cart then."""
        answer = self.browser.post(f"/cart/{item}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["cart"])


@contextmanager
def container_shop(settings: Mapping[str, str], folder: Path, *, count: int = 2) -> Iterator[Shop]:
    """Servers as the image runs them, with the environment of its containers."""
    with Shop(folder, settings).serving(*[server_command()] * count) as shop:
        yield shop
