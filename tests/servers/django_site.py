"""The views of Django's tests under a real server: ``python django_site.py STORE-URL SERVER DATABASE``.

SERVER is ``uvicorn``, ``hypercorn`` or ``granian`` with the adapter; ``plain``, uvicorn with what Django alone makes;
``wsgi``, a thread for each request; or ``gunicorn``, two forked processes. The port on loopback is printed when it
answers. There is a user, ann. With ``gevent``, a worker of gunicorn, the start fails.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections

from tests.adapters.django_project import configure
from tests.servers.listening import serve
from wsgessions_django.asgi import wrap

MIDDLEWARE: Final = [
    "wsgessions_django.SessionMiddleware",
    "tests.adapters.django_views.ending_meanwhile",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


def by_hypercorn(app: Any) -> None:
    from hypercorn.asyncio import serve as serve_by_hypercorn
    from hypercorn.config import Config

    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    config = Config()
    config.bind = [f"fd://{listening.fileno()}"]
    config.errorlog = None
    tell(listening.getsockname()[1])
    asyncio.run(serve_by_hypercorn(app, config))


def by_granian(app: Any) -> None:
    from granian.constants import Interfaces
    from granian.server.embed import Server

    with socket.create_server(("127.0.0.1", 0)) as finder:
        port: int = finder.getsockname()[1]
    server = Server(app, port=port, interface=Interfaces.ASGI, log_enabled=False)
    threading.Thread(target=tell_when_it_answers, args=[port], daemon=True).start()
    asyncio.run(server.serve())


def by_threads(app: Any) -> None:
    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        request_queue_size = 256

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that it has
            pass

    with make_server("127.0.0.1", 0, app, Server, Quiet) as server:
        tell(server.server_port)
        server.serve_forever()


def by_gunicorn(worker: str) -> None:
    from gunicorn.app.base import BaseApplication

    listening = socket.create_server(("127.0.0.1", 0), backlog=256)

    class Site(BaseApplication):  # type: ignore[misc]  # it has no types
        def load_config(self) -> None:
            self.cfg.set("bind", f"fd://{listening.fileno()}")
            self.cfg.set("loglevel", "warning")
            self.cfg.set("workers", 2)
            self.cfg.set("worker_class", worker)

        def load(self) -> Any:
            return get_wsgi_application()

    connections.close_all()  # before the fork
    tell(listening.getsockname()[1])
    Site().run()


def tell_when_it_answers(port: int) -> None:
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.01)
    tell(port)


def tell(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


SERVERS: Final[dict[str, Callable[[], None]]] = {
    "uvicorn": lambda: serve(wrap(get_asgi_application())),  # type: ignore[arg-type]
    "hypercorn": lambda: by_hypercorn(wrap(get_asgi_application())),  # type: ignore[arg-type]
    "granian": lambda: by_granian(wrap(get_asgi_application())),  # type: ignore[arg-type]
    "plain": lambda: serve(get_asgi_application()),  # type: ignore[arg-type]
    "wsgi": lambda: by_threads(get_wsgi_application()),
    "gunicorn": lambda: by_gunicorn("sync"),
}
REFUSED: Final[dict[str, Callable[[], None]]] = {"gevent": lambda: by_gunicorn("gevent")}


def main(store_url: str, server: str, database: str) -> None:
    configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        MIDDLEWARE=MIDDLEWARE,
        ROOT_URLCONF="tests.adapters.django_views",
        SESSION_COOKIE_SECURE=False,
        WSGESSIONS={"store_url": store_url},
    )
    call_command("migrate", verbosity=0)
    password = make_password("ann", salt="the same in every process")
    get_user_model().objects.get_or_create(username="ann", defaults={"password": password})
    (SERVERS | REFUSED)[server]()


if __name__ == "__main__":
    main(*sys.argv[1:])
