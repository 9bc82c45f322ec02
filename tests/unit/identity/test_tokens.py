"""A session token is valid only if this issuer signed it, for us, and it has not expired."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from aichat_sandbox.auth import SigningKey, usual_claims
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.gateway.tokens import TokenVerifier
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fixtures.auth import SECRET, Auth


async def refused(verifier: TokenVerifier, token: str) -> Reason:
    with pytest.raises(AichatError) as caught:
        await verifier.verify(token)
    assert token not in str(caught.value)
    return caught.value.reason


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed_with_bytes(header: Mapping[str, object], claims: Mapping[str, object], secret: bytes) -> str:
    """Returns an HS256 token made by hand: PyJWT refuses a secret that looks like a public key."""
    body = f"{unpadded(json.dumps(header).encode())}.{unpadded(json.dumps(claims).encode())}"
    return f"{body}.{unpadded(hmac.digest(secret, body.encode(), 'sha256'))}"


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_a_token_of_a_listed_key_is_good(auth: Auth, algorithm: str) -> None:
    await auth.rotate(algorithm)
    user_id = uuid4()
    token = await auth.mint(sub=str(user_id), email="ada@example.com")
    session = await auth.verifier().verify(token)
    assert (session.user_id, session.email) == (user_id, "ada@example.com")
    assert session.expires_in > 0


async def test_a_token_of_the_shared_secret_is_good_where_there_is_one(auth: Auth) -> None:
    claims = usual_claims(auth.issuer)
    token = jwt.encode(claims, SECRET, "HS256", headers={"kid": "legacy"})
    assert (await auth.verifier(secret=SECRET).verify(token)).user_id == UUID(str(claims["sub"]))
    assert await refused(auth.verifier(), token) is Reason.CREDENTIALS_INVALID
    other = jwt.encode(claims, SECRET + "!", "HS256")
    assert await refused(auth.verifier(secret=SECRET), other) is Reason.CREDENTIALS_INVALID


async def test_a_user_without_an_address_is_good(auth: Auth) -> None:
    assert (await auth.verifier().verify(await auth.mint(email=""))).email is None
    assert (await auth.verifier().verify(await auth.mint(email=None))).email is None


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": int(time.time()) - 60}, Reason.CREDENTIALS_EXPIRED),
        ({"exp": None}, Reason.CREDENTIALS_INVALID),
        ({"exp": "soon"}, Reason.CREDENTIALS_INVALID),
        ({"nbf": int(time.time()) + 3600}, Reason.CREDENTIALS_INVALID),
        ({"iat": int(time.time()) + 3600}, Reason.CREDENTIALS_INVALID),
        ({"aud": "another"}, Reason.CREDENTIALS_INVALID),
        ({"aud": None}, Reason.CREDENTIALS_INVALID),
        ({"iss": "https://another.example/auth/v1"}, Reason.CREDENTIALS_INVALID),
        ({"iss": None}, Reason.CREDENTIALS_INVALID),
        ({"sub": None}, Reason.CREDENTIALS_INVALID),
        ({"sub": "nobody"}, Reason.CREDENTIALS_INVALID),
        ({"sub": 7}, Reason.CREDENTIALS_INVALID),
        ({"sub": ["x"]}, Reason.CREDENTIALS_INVALID),
        ({"sub": "{01890000-0000-7000-8000-00000000abcd}"}, Reason.CREDENTIALS_INVALID),
        ({"sub": "\ud800"}, Reason.CREDENTIALS_INVALID),
        ({"exp": []}, Reason.CREDENTIALS_INVALID),
        ({"exp": {}}, Reason.CREDENTIALS_INVALID),
        ({"exp": 10**400}, Reason.CREDENTIALS_INVALID),
        ({"exp": float("inf")}, Reason.CREDENTIALS_INVALID),
        ({"exp": float("nan")}, Reason.CREDENTIALS_INVALID),
        ({"nbf": {"at": 1}}, Reason.CREDENTIALS_INVALID),
        ({"iat": []}, Reason.CREDENTIALS_INVALID),
        ({"iat": float("inf")}, Reason.CREDENTIALS_INVALID),
        ({"aud": {"authenticated": True}}, Reason.CREDENTIALS_INVALID),
        ({"aud": [7]}, Reason.CREDENTIALS_INVALID),
        ({"iss": ["x"]}, Reason.CREDENTIALS_INVALID),
        ({"iss": {}}, Reason.CREDENTIALS_INVALID),
        ({"email": 7}, Reason.CREDENTIALS_INVALID),
        ({"email": ["ada@example.com"]}, Reason.CREDENTIALS_INVALID),
        ({"email": "\ud800@example.com"}, Reason.CREDENTIALS_INVALID),
        ({"email": "ada\u0000@example.com"}, Reason.CREDENTIALS_INVALID),
        ({"email": "a" * 400}, Reason.CREDENTIALS_INVALID),
    ],
)
async def test_a_good_signature_does_not_make_up_for_bad_claims(
    auth: Auth, claims: dict[str, Any], reason: Reason
) -> None:
    complete = {**usual_claims(auth.issuer), **claims}
    payload = json.dumps({name: value for name, value in complete.items() if value is not None}).encode()
    token = jwt.PyJWS().encode(payload, SECRET, "HS256")
    assert await refused(auth.verifier(secret=SECRET), token) is reason


@pytest.mark.parametrize(
    "payload", [b"[" * 5000, b"[]", b"7", b'"text"', b"null", b"\xff", b"{", b'{"exp": 1' + b"0" * 5000]
)
async def test_a_good_signature_does_not_make_up_for_malformed_claims(auth: Auth, payload: bytes) -> None:
    token = jwt.PyJWS().encode(payload, SECRET, "HS256")
    assert await refused(auth.verifier(secret=SECRET), token) is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize(
    "header", [b"[" * 5000, b'{"alg": [], "kid": {}}', b'{"alg": "ES256", "kid": "\\ud800"}', b"7"]
)
async def test_a_malformed_header_is_refused(auth: Auth, header: bytes) -> None:
    token = f"{unpadded(header)}.{unpadded(b'{}')}.{unpadded(b'signed')}"
    assert await refused(auth.verifier(secret=SECRET), token) is Reason.CREDENTIALS_INVALID


async def test_an_unsigned_token_is_refused(auth: Auth) -> None:
    token = await auth.mint()
    claims = jwt.decode(token, options={"verify_signature": False})
    key_id = jwt.get_unverified_header(token)["kid"]
    for header in ({"alg": "none"}, {"alg": "none", "kid": key_id}, {"alg": "None"}, {"kid": key_id}):
        unsigned = f"{unpadded(json.dumps(header).encode())}.{unpadded(json.dumps(claims).encode())}."
        assert await refused(auth.verifier(secret=SECRET), unsigned) is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_a_public_key_is_no_shared_secret(auth: Auth, algorithm: str) -> None:
    await auth.rotate(algorithm)
    listed = (await auth.client.get(auth.jwks_url)).json()["keys"][0]
    public = jwt.PyJWK(listed).key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = usual_claims(auth.issuer)
    for secret in (pem, pem.strip(), json.dumps(listed).encode(), b""):
        for header in (
            {"alg": "HS256", "kid": listed["kid"]},
            {"alg": "HS256"},
            {"alg": algorithm, "kid": listed["kid"]},
        ):
            token = signed_with_bytes(header, claims, secret)
            assert await refused(auth.verifier(), token) is Reason.CREDENTIALS_INVALID
            assert await refused(auth.verifier(secret=SECRET), token) is Reason.CREDENTIALS_INVALID


async def test_a_key_signs_with_its_own_algorithm_only(auth: Auth) -> None:
    await auth.rotate("RS256")
    key_id = jwt.get_unverified_header(await auth.mint())["kid"]
    claims = usual_claims(auth.issuer)
    stranger = SigningKey.generate("ES256")
    token = jwt.encode(claims, stranger.private, "ES256", headers={"kid": key_id})
    assert await refused(auth.verifier(), token) is Reason.CREDENTIALS_INVALID


async def test_a_strangers_key_is_refused(auth: Auth) -> None:
    await auth.rotate("ES256")
    key_id = jwt.get_unverified_header(await auth.mint())["kid"]
    claims = usual_claims(auth.issuer)
    stranger = SigningKey.generate("ES256")
    assert await refused(auth.verifier(), stranger.sign(claims)) is Reason.CREDENTIALS_INVALID
    borrowed = jwt.encode(claims, stranger.private, "ES256", headers={"kid": key_id})
    assert await refused(auth.verifier(), borrowed) is Reason.CREDENTIALS_INVALID
    nameless = jwt.encode(claims, stranger.private, "ES256")
    assert await refused(auth.verifier(), nameless) is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "ey.ey.ey", "ü.ü.ü", "a" * 9000, "null.null.null", "e30.e30."]
)
async def test_anything_but_a_token_is_refused(auth: Auth, token: str) -> None:
    with pytest.raises(AichatError) as caught:
        await auth.verifier(secret=SECRET).verify(token)
    assert caught.value.reason is Reason.CREDENTIALS_INVALID


async def test_a_changed_token_is_refused(auth: Auth) -> None:
    header, claims, signature = (await auth.mint()).split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = unpadded(json.dumps({**said, "sub": str(uuid4())}).encode())
    assert await refused(auth.verifier(), f"{header}.{forged}.{signature}") is Reason.CREDENTIALS_INVALID
