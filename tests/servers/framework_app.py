"""One of several servers: ``python framework_app.py STORE-URL FRAMEWORK`` serves the adapter suite's application there.

The port on loopback is printed. FRAMEWORK is the name of a registered adapter.
"""

from __future__ import annotations

import sys
from importlib import import_module

from tests.servers.listening import serve
from wsgessions import install


def main(store_url: str, framework: str) -> None:
    app = import_module(f"tests.adapters.{framework}_app").make_app()
    serve(install(app, adapter=framework, store_url=store_url, cookie={"insecure": True}))


if __name__ == "__main__":
    main(*sys.argv[1:])
