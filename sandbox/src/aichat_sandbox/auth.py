"""A stand-in for Supabase Auth: signs session tokens, lists the public keys that verify them, and rotates the keys.

`python -m aichat_sandbox.auth --port-file FILE` runs it as a process. `POST /_mint` takes claims that override the
usual ones and returns `{"token"}`. `POST /_rotate` takes `{"algorithm": "ES256" | "RS256"}` and signs only with a new
key from then on. `POST /_status` takes `{"status": 503}` and answers with that status from then on. `GET /_fetches`
counts the requests for the list of keys.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from .standin import run_stand_in

Algorithm = Literal["ES256", "RS256"]
AUDIENCE = "authenticated"
TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair with an id."""

    algorithm: Algorithm
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    key_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def generate(cls, algorithm: Algorithm) -> SigningKey:
        """Creates a new key pair."""
        if algorithm == "ES256":
            return cls(algorithm, ec.generate_private_key(ec.SECP256R1()))
        return cls(algorithm, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def public_jwk(self) -> dict[str, object]:
        """Returns the public key in the form in which Supabase lists it."""
        public = self.private.public_key()
        text = (
            ECAlgorithm.to_jwk(public) if isinstance(public, ec.EllipticCurvePublicKey) else RSAAlgorithm.to_jwk(public)
        )
        return {**json.loads(text), "kid": self.key_id, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}

    def sign(self, claims: Mapping[str, object]) -> str:
        """Returns a token with these claims."""
        return jwt.encode(dict(claims), self.private, self.algorithm, headers={"kid": self.key_id})


def usual_claims(issuer: str) -> dict[str, object]:
    """Returns Supabase's claims for a user who has just signed in; each call has a new user."""
    now, user_id = int(time.time()), str(uuid.uuid4())
    return {
        "iss": issuer,
        "sub": user_id,
        "aud": AUDIENCE,
        "exp": now + TOKEN_SECONDS,
        "iat": now,
        "email": f"{user_id}@example.com",
        "role": "authenticated",
        "session_id": str(uuid.uuid4()),
        "is_anonymous": False,
    }


class AuthStandIn:
    """The stand-in's state and its routes."""

    def __init__(self) -> None:
        self._key = SigningKey.generate("ES256")
        self._status = 200
        self._fetches = 0

    def make_app(self) -> web.Application:
        """Creates the HTTP application."""
        app = web.Application()
        app.router.add_get("/auth/v1/.well-known/jwks.json", self._list)
        app.router.add_post("/_mint", self._mint)
        app.router.add_post("/_rotate", self._rotate)
        app.router.add_post("/_status", self._set_status)
        app.router.add_get("/_fetches", self._count)
        return app

    async def _list(self, _request: web.Request) -> web.Response:
        self._fetches += 1
        return web.json_response({"keys": [self._key.public_jwk()]}, status=self._status)

    async def _mint(self, request: web.Request) -> web.Response:
        claims = usual_claims(f"{request.url.origin()}/auth/v1") | await request.json()
        stated = {name: value for name, value in claims.items() if value is not None}
        return web.json_response({"token": self._key.sign(stated)})

    async def _rotate(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self._key = SigningKey.generate(asked["algorithm"])
        return web.json_response({"kid": self._key.key_id})

    async def _set_status(self, request: web.Request) -> web.Response:
        asked: dict[str, Any] = await request.json()
        self._status = int(asked["status"])
        return web.json_response({})

    async def _count(self, _request: web.Request) -> web.Response:
        return web.json_response({"fetches": self._fetches})


if __name__ == "__main__":
    run_stand_in(lambda: AuthStandIn().make_app(), "A stand-in for Supabase Auth.")
