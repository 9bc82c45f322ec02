"""Only addresses of public hosts are passed on to vendors, however a private one is written."""

from __future__ import annotations

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.files.domain.links import public_link


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "https://EXAMPLE.com.:443/a%20b.pdf?x=[1]&y=~#z",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/a",
        "https://[2606:4700::1111]/a",
    ],
)
def test_public_addresses_are_passed_on_as_they_are(url: str) -> None:
    assert public_link("parts[0].image", url).url == url


PRIVATE = """
[::127.0.0.1] [64:ff9b:1::1]
127.0.0.1 127.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 0 0.0.0.0 10.1.2.3 192.168.0.1 172.16.0.9
169.254.169.254 100.64.0.1 224.0.0.1 255.255.255.255 8.8.8.8.0x7f 127.0.0.1. [::1] [::] [fe80::1] [fc00::1]
[::ffff:127.0.0.1]
[::ffff:a9fe:a9fe] [64:ff9b::7f00:1] [2002:7f00:1::] [fe80::1%25eth0] [ff02::1] localhost LOCALHOST. a.localhost a.local
metadata.google.internal a.home.arpa intranet printer.lan host 1.1.1 [127.0.0.1]
""".split()  # noqa: SIM905 — a list would take a line for each
ODD = [
    "https://user@example.com/",
    "https://user:key@example.com/",
    "https://example.com:8443/",
    "https://example.com:x/",
    "https://example.com\\@127.0.0.1/",
    "https://127。0。0。1/",
    "https://exa mple.com/",
    "https://example.com/\n",
    "https://127%2e0.0.1/",
    "https:///a",
    "https://a..example.com/",
    "https://[::1/",
]


@pytest.mark.parametrize("url", [*(f"https://{host}/x" for host in PRIVATE), *ODD])
def test_others_are_refused(url: str) -> None:
    with pytest.raises(AichatError) as caught:
        public_link("parts[0].image", url)
    assert caught.value.reason is Reason.REQUEST_INVALID
    assert [violation.field for violation in caught.value.violations] == ["parts[0].image"]
