"""A real nginx, with a site of a test; one site is a cache in front of a server, which keeps whatever it may."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import held_port, wait_for
from tests.stores.embedded.watched import ROOT

__all__ = ["PROGRAM", "caching", "nginx"]

_PLACES = (shutil.which("nginx"), "/usr/sbin/nginx", ROOT / ".dev" / "debian" / "usr" / "sbin" / "nginx")
PROGRAM = os.environ.get("NGINX") or next((str(place) for place in _PLACES if place and Path(place).exists()), None)
"""The setting, the one of this machine, or the one that `./dev caches` has fetched."""

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {sites}
}}
"""

CACHE = """
proxy_cache_path {folder}/cache keys_zone=pages:1m;
server {{
  listen 127.0.0.1:{port};
  location / {{
    proxy_pass http://127.0.0.1:{behind};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_cache pages;
    proxy_cache_key $uri;
    proxy_cache_valid 200 10m;
    add_header X-Cache $upstream_cache_status always;
  }}
}}
"""


@contextmanager
def nginx(sites: str, port: int, folder: Path) -> Iterator[None]:
    """A running nginx with these sites, one of which listens on the port."""
    assert PROGRAM is not None
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, sites=sites))
    process = subprocess.Popen([PROGRAM, "-e", folder / "error.log", "-p", folder, "-c", configuration])
    try:
        wait_for(port, process)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def caching(behind: int, folder: Path) -> Iterator[str]:
    """The address of an nginx in front of the server at that port of loopback."""
    with held_port() as port, nginx(CACHE.format(folder=folder, port=port, behind=behind), port, folder):
        yield f"http://127.0.0.1:{port}"
