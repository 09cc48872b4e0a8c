"""The application of the deployment files: a cart in the session, and a path for probes."""

from __future__ import annotations

import socket

from fastapi import FastAPI

from wsgessions_fastapi import FastAPIAdapter, SessionDep

app = FastAPI()
FastAPIAdapter().install(app)


@app.post("/cart/{item}")
async def add(item: str, session: SessionDep) -> dict[str, object]:
    """Put an item into the visitor's cart."""
    session.setdefault("cart", []).append(item)
    return {"cart": session["cart"], "server": socket.gethostname()}


@app.get("/cart")
async def show(session: SessionDep) -> dict[str, object]:
    """Show the visitor's cart."""
    return {"cart": session.get("cart", []), "server": socket.gethostname()}


@app.get("/healthz")
async def healthz() -> str:
    """Tell probes that this process serves; without the session, so also while the store is away."""
    return "ok"
