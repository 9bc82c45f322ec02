"""Which pages other services may redirect to."""

from __future__ import annotations

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.origins import ReturnPages, origin_of, origins_of

PAGES = ReturnPages(
    origins_of(["https://app.example.com", "http://intranet:8080", "https://[2001:db8::1]"]), loopback=False
)


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example.com",
        "https://app.example.com/a?b=c#d",
        "https://APP.example.com:443/",
        "HTTPS://app.example.com",
        "http://intranet:8080/x",
        "https://[2001:db8::1]/",
    ],
)
def test_a_page_of_an_allowed_origin_may_be_led_back_to(address: str) -> None:
    PAGES.check(return_url=address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/relative",
        "//app.example.com",
        "javascript:alert(1)",
        "javascript://app.example.com/%0aalert(1)",
        "data:text/html,x",
        "ftp://app.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com:99999",
        "https://app.example.com:x",
        "https://app.example.com.evil.example",
        "https://evil.example/?https://app.example.com",
        "https://app.example.com@evil.example",
        "https://user@app.example.com",
        "https://app.example.com\\@evil.example",
        "https://evil.example\\.app.example.com",
        "https://app.example.com\t",
        " https://app.example.com",
        "https://app.example.com\n.evil.example",
        "https://[::1",
        "https://",
        "http://localhost:3000",
        "https://\ud800",
    ],
)
def test_any_other_is_refused_by_its_field(address: str) -> None:
    with pytest.raises(AichatError) as caught:
        PAGES.check(success_url="https://app.example.com", cancel_url=address)
    assert caught.value.reason is Reason.REQUEST_INVALID
    assert [violation.field for violation in caught.value.violations] == ["cancel_url"]


@pytest.mark.parametrize("address", ["http://localhost:3000/x", "http://127.0.0.1:5173", "http://[::1]:80/"])
def test_pages_of_ones_own_machine_may_be_allowed(address: str) -> None:
    ReturnPages((), loopback=True).check(return_url=address)
    with pytest.raises(AichatError):
        ReturnPages((), loopback=True).check(return_url=address.replace("//", "//x."))


def test_an_origin_is_written_as_browsers_do() -> None:
    assert origin_of("HTTPS://App.Example:443/x") == "https://app.example"
    assert origin_of("http://[::1]:80") == "http://[::1]"
