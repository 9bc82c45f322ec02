"""Unsubscribe links, as mail programs, mail scanners and people follow them."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest
from aichat_sandbox.platform import Platform
from aichat_server.notifications.domain.unsubscribe import sign

from tests.e2e.calls import error_of

PATH = "/v1/notifications/unsubscribe"
SETTINGS = "/v1/notifications/settings"


@pytest.fixture
def token(platform: Platform) -> str:
    """The token in e-mails to the development key's member."""
    secret = platform.server.environment["AICHAT_MAIL_SECRET"]
    return sign(secret, UUID(platform.key["organization_id"]), UUID(platform.key["member_id"]))


async def wants(http: httpx.AsyncClient) -> bool:
    wanted: bool = (await http.get(SETTINGS)).raise_for_status().json()["settings"]["quota_warnings"]
    return wanted


async def test_following_the_link_asks_and_changes_nothing(
    stranger: httpx.AsyncClient, http: httpx.AsyncClient, token: str
) -> None:
    page = await stranger.get(PATH, params={"token": token})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert '<form method="post">' in page.text
    assert await wants(http)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None])
async def test_the_button_and_one_click_unsubscribe(
    stranger: httpx.AsyncClient, http: httpx.AsyncClient, token: str, kind: str | None
) -> None:
    headers = {"content-type": kind} if kind else {}
    for _ in range(2):
        page = await stranger.post(
            PATH, params={"token": token}, headers=headers, content=b"List-Unsubscribe=One-Click" if kind else b""
        )
        assert page.status_code == 200, page.text
        assert "You are unsubscribed" in page.text
        assert not await wants(http)
    again = await http.patch(SETTINGS, json={"quota_warnings": True})
    assert again.json() == {"settings": {"quota_warnings": True}}
    assert (await http.patch(SETTINGS, json={})).json() == {"settings": {"quota_warnings": True}}
    assert await wants(http)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_forged_token_is_refused(
    stranger: httpx.AsyncClient, http: httpx.AsyncClient, platform: Platform, token: str, method: str
) -> None:
    forged = sign("another secret than the platform's own", UUID(platform.key["organization_id"]), UUID(int=1))
    for wrong in (forged, token[:-4], token[:40] + "A" * 40, "no token", "ä"):
        refused = await stranger.request(method, PATH, params={"token": wrong})
        assert error_of(refused)[:2] == (400, "UNSUBSCRIBE_TOKEN_INVALID"), wrong
    assert error_of(await stranger.request(method, PATH))[:2] == (400, "REQUEST_INVALID")
    assert await wants(http)


async def test_settings_are_for_members_alone(stranger: httpx.AsyncClient) -> None:
    assert error_of(await stranger.get(SETTINGS))[:2] == (401, "CREDENTIALS_MISSING")
    assert error_of(await stranger.patch(SETTINGS, json={"quota_warnings": False}))[:2] == (401, "CREDENTIALS_MISSING")
