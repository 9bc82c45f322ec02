"""Parses the commands' arguments; each function says what is wrong with an invalid one."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from email.errors import HeaderParseError
from email.headerregistry import Address

from aichat_server.core.money import NANO_PER_CENT, NanoUsd, from_decimal
from aichat_server.plans.domain import Rates

MAX_KEY_DAYS = 36_500
MOST_USD = 1_000_000_000
MAX_TRIAL_DAYS = 730

_MOST = 2**31 - 1


def price(text: str) -> NanoUsd:
    """Parses a price in US dollars, more than 0 and in whole cents."""
    amount = usd(text)
    if amount == 0 or amount % NANO_PER_CENT:
        raise argparse.ArgumentTypeError("more than 0, in whole cents")
    return amount


def usd_or_any(text: str) -> NanoUsd | str:
    """Parses US dollars, or "any"."""
    return text if text == "any" else usd(text)


def count(text: str) -> int:
    """Parses a whole number."""
    if not text.isdecimal() or not 0 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to {_MOST}")
    return int(text)


def trial_days(text: str) -> int:
    """Parses the days of a trial."""
    number = count(text)
    if number > MAX_TRIAL_DAYS:
        raise argparse.ArgumentTypeError(f"from 0 to {MAX_TRIAL_DAYS} days")
    return number


def at_least_one(text: str) -> int:
    """Parses a whole number from 1 on."""
    number = count(text)
    if number == 0:
        raise argparse.ArgumentTypeError("from 1 on")
    return number


def count_or_any(text: str) -> int | str:
    """Parses a whole number, or "any"."""
    return text if text == "any" else at_least_one(text)


def models_or_any(text: str) -> frozenset[str] | str:
    """Parses comma-separated ids of models, or "any"."""
    if text == "any":
        return text
    ids = frozenset(word.strip() for word in text.split(",") if word.strip())
    if not ids:
        raise argparse.ArgumentTypeError("ids of models, with commas between them, or any")
    return ids


def rates(text: str) -> Rates:
    """Parses requests and tokens a minute, and open streams."""
    words = text.split(",")
    if len(words) != 3:
        raise argparse.ArgumentTypeError("three numbers: requests and tokens a minute, and open streams")
    requests, tokens, streams = (at_least_one(word) for word in words)
    return Rates(requests, tokens, streams)


def usd(text: str) -> NanoUsd:
    """Parses US dollars."""
    try:
        dollars = Decimal(text)
        if 0 <= dollars <= MOST_USD:
            return from_decimal(dollars)
    except (InvalidOperation, ValueError):
        pass
    raise argparse.ArgumentTypeError(f"US dollars, from 0 to {MOST_USD}, nano-dollars at the finest")


def email(text: str) -> str:
    """Parses an e-mail address."""
    try:
        address = Address(addr_spec=text)
        if address.domain:
            return address.addr_spec
    except (HeaderParseError, ValueError, IndexError):
        pass
    raise argparse.ArgumentTypeError("an address such as someone@example.com")


def signed_usd(text: str) -> NanoUsd:
    """Parses US dollars other than 0, which may be negative."""
    amount = usd(text.removeprefix("-"))
    if not amount:
        raise argparse.ArgumentTypeError("not 0")
    return NanoUsd(-amount) if text.startswith("-") else amount


def days(text: str) -> int:
    """Parses the days until a key expires."""
    number = int(text)
    if not 1 <= number <= MAX_KEY_DAYS:
        raise argparse.ArgumentTypeError(f"from 1 to {MAX_KEY_DAYS} days")
    return number
