"""Sessions in cookies, as our pages and Supabase's clients write them."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.rpc.session_cookie import session_token

TOKEN = "header.claims." + "s" * 300
SESSION = json.dumps(
    {"access_token": TOKEN, "refresh_token": "r", "user": {"email": "ada@example.com", "name": "Ä ;="}}
)
ENCODED = "base64-" + base64.urlsafe_b64encode(SESSION.encode()).decode().rstrip("=")


def found(*headers: str, project: str | None = "abc") -> str | None:
    return session_token(headers, "sb-access-token", project)


def chunks(name: str, value: str, size: int = 100) -> str:
    pieces = [value[at : at + size] for at in range(0, len(value), size)]
    return "; ".join(f"{name}.{number}={piece}" for number, piece in enumerate(pieces))


@pytest.mark.parametrize(
    "cookies",
    [
        f"sb-abc-auth-token={ENCODED}",
        f"sb-abc-auth-token={quote(SESSION)}",
        f"sb-abc-auth-token={quote(json.dumps([TOKEN, 'refresh', None, None, None]))}",
        f"theme=dark; {chunks('sb-abc-auth-token', ENCODED)}; other=1",
        chunks("sb-abc-auth-token", quote(SESSION, safe="")),
        f"sb-other-auth-token={ENCODED}",
        chunks("sb-127-auth-token", ENCODED),
        f"sb-abc-auth-token-code-verifier=x; sb-abc-auth-token={ENCODED}",
        f"sb-other-auth-token=old; sb-abc-auth-token={ENCODED}",
        f"sb-access-token={TOKEN}; sb-abc-auth-token=stale",
        f"sb-access-token=; sb-abc-auth-token={ENCODED}",
    ],
)
def test_a_session_is_found(cookies: str) -> None:
    assert found(cookies) == TOKEN
    assert found(*cookies.split("; ")) == TOKEN


def test_twelve_chunks_are_joined_in_their_order() -> None:
    crumbs = chunks("sb-abc-auth-token", ENCODED, size=len(ENCODED) // 12 + 1).split("; ")
    assert len(crumbs) == 12
    assert found("; ".join(reversed(crumbs))) == TOKEN


@pytest.mark.parametrize(
    "cookies", ["", "theme=dark", "sb-abc-auth-token-code-verifier=x", "sb--auth-token.1=x", "=", ";"]
)
def test_without_a_session_there_is_none(cookies: str) -> None:
    assert found(cookies) is None


@pytest.mark.parametrize(
    "value",
    [
        "base64-",
        "base64-!!!",
        "base64-" + "A" * 5,
        "base64-" + base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        "base64-" + base64.urlsafe_b64encode(b"[" * 5000).decode(),
        "{}",
        "[]",
        "null",
        "7",
        '"text"',
        quote('{"access_token": 7}'),
        quote('{"access_token": null}'),
        "[" * 5000,
        "%ff%fe",
        "1" * 5000,
    ],
)
def test_a_cookie_without_a_session_is_refused(value: str) -> None:
    with pytest.raises(AichatError) as caught:
        found(f"sb-abc-auth-token={value}")
    assert caught.value.reason is Reason.CREDENTIALS_INVALID


def test_a_session_with_a_chunk_missing_is_refused() -> None:
    crumbs = chunks("sb-abc-auth-token", ENCODED).split("; ")
    with pytest.raises(AichatError):
        found("; ".join(crumbs[:1] + crumbs[2:]))
