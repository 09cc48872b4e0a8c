"""A small OpenID Connect provider on loopback: it knows one person, who is always logged in there and consents."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "PERSON", "Provider", "provider"]

CLIENT_ID: Final = "shop"
CLIENT_SECRET: Final = "the shop's secret"
PERSON: Final = {"sub": "u-1", "name": "Ann", "email": "ann@example.org", "email_verified": True}


class Provider:
    """The provider's side of a login by a code.

    Attributes:
        issuer: its address, by which it names itself.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "1"})
        self._asked: dict[str, dict[str, str]] = {}
        """What an application has asked for, by the code that it was given."""
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.describe),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/userinfo", self.userinfo),
                Route("/jwks", self.jwks),
            ]
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """Where its endpoints are, by their names in OpenID Connect Discovery."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    async def describe(self, request: Request) -> Response:
        return JSONResponse(self.metadata)

    async def authorize(self, request: Request) -> Response:
        """Where an application sends a browser, which comes back with a code."""
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        code = secrets.token_urlsafe()
        self._asked[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def token(self, request: Request) -> Response:
        """What a code is worth, once."""
        form = await request.form()
        asked = self._asked.pop(str(form["code"]))
        if (challenge := asked.get("code_challenge")) is not None:
            digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
            assert challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        now = int(time.time())
        claims = PERSON | {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 600}
        if "nonce" in asked:
            claims["nonce"] = asked["nonce"]
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self._key)
        return JSONResponse({"access_token": "of ann", "token_type": "Bearer", "expires_in": 600, "id_token": signed})

    async def userinfo(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer of ann"
        return JSONResponse(PERSON)

    async def jwks(self, request: Request) -> Response:
        return JSONResponse(KeySet([self._key]).as_dict(private=False))


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider that is served while the tests of the module run."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        provider = Provider(f"http://127.0.0.1:{listening.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(provider.app, log_level="warning"))
        serving = threading.Thread(target=server.run, args=([listening],), daemon=True)
        serving.start()
        yield provider
        server.should_exit = True
        serving.join()
