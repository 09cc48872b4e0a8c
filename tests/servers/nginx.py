"""A real nginx with a cache in front of a server, configured as one that keeps whatever it may."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stores.embedded.watched import PATIENCE, ROOT

__all__ = ["PROGRAM", "caching"]

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
}}
"""


@contextmanager
def caching(behind: int, folder: Path) -> Iterator[str]:
    """The address of an nginx in front of the server at that port of loopback."""
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, behind=behind))
    process = subprocess.Popen([PROGRAM, "-e", folder / "error.log", "-p", folder, "-c", configuration])
    try:
        _wait_for(port, process, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < until, "nginx did not start"
            time.sleep(0.01)
        else:
            return
