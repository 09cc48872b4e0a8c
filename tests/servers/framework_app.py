"""One of several servers: ``python framework_app.py STORE-URL FRAMEWORK`` serves the adapter suite's application there.

The port on loopback is printed. FRAMEWORK is the name of a registered adapter.
"""

from __future__ import annotations

import sys
from importlib import import_module

from tests.servers.listening import serve
from wsgessions.install import load_adapter, registered


def main(store_url: str, framework: str) -> None:
    app = import_module(f"tests.adapters.{framework}_app").make_app()
    adapter = load_adapter(registered()[framework])
    serve(adapter(store_url=store_url, cookie={"insecure": True}).install(app))


if __name__ == "__main__":
    main(*sys.argv[1:])
