"""Checks the addresses that a vendor is to read: only public ones are passed on, and this server reads none."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from aichat_server.content.parts import Link
from aichat_server.core.errors import invalid_request

# What vendors and proxies may read differently than we do, such as a backslash, is no part of an address.
_PLAIN = re.compile(r"https://[!#-;=?-\[\]_a-z~%]+", re.IGNORECASE)
_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.IGNORECASE)
# The last label of a name is no number: what has one is an IPv4 address in some notation.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_PRIVATE = frozenset(
    ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "test", "invalid", "onion", "arpa")
)


def public_link(field: str, url: str) -> Link:
    """Returns the address, whose host is public by all that its name tells. Raises REQUEST_INVALID with the field."""
    problem = _problem(url)
    if problem:
        raise invalid_request(field, problem)
    return Link(url)


def _problem(url: str) -> str:
    """Returns what is wrong with the address; empty if nothing is."""
    if not _PLAIN.fullmatch(url):
        return "must be an https address of ASCII characters, with others percent-encoded"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return "is no address"
    if "@" in parts.netloc:
        return "must not have credentials in it"
    if port not in (None, 443):
        return "must use port 443"
    if parts.netloc.startswith("["):
        return "" if _is_public(host) else "must not lead to a private network"
    host = host.removesuffix(".")
    last = host.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        return "" if _is_public(host) else "must not lead to a private network"
    if last.lower() in _PRIVATE:
        return "must not lead to a private network"
    return "" if _NAME.fullmatch(host) else "must name a public host"


def _is_public(host: str) -> bool:
    """Whether this is a public IP address in its usual notation."""
    try:
        if ":" not in host:
            return IPv4Address(host).is_global and not IPv4Address(host).is_multicast
        address = IPv6Address(host)
    except ValueError:
        return False
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
    if address.is_reserved or address.is_multicast or address.scope_id:
        return False
    return address.is_global and (not inside or inside.is_global)
