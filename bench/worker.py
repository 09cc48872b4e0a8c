"""One uvicorn worker serving one subject: ``python -m bench.worker SUBJECT STORE_URL PORT``."""

from __future__ import annotations

import sys

import uvicorn

from .subjects import SUBJECTS

if __name__ == "__main__":
    name, store_url, port = sys.argv[1:]
    app = SUBJECTS[name].make(store_url)
    uvicorn.run(
        app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", log_level="warning", access_log=False
    )
