"""A server for one subject: ``python -m bench.worker SUBJECT STORE_URL PORT WORKERS``."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import uvicorn

from .subjects import SUBJECTS

__all__ = ["make_app"]

_SUBJECT = "BENCH_SUBJECT"
_STORE_URL = "BENCH_STORE_URL"


def make_app() -> Any:
    """The application of each worker process."""
    logging.getLogger("wsgessions").setLevel(logging.ERROR)  # plain http is meant here
    return SUBJECTS[os.environ[_SUBJECT]].make(os.environ[_STORE_URL])


if __name__ == "__main__":
    name, store_url, port, workers = sys.argv[1:]
    os.environ[_SUBJECT], os.environ[_STORE_URL] = name, store_url
    uvicorn.run(
        "bench.worker:make_app",
        factory=True,
        host="127.0.0.1",
        port=int(port),
        workers=int(workers),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
