"""Time zones, as the IANA names them."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def load_zone(name: str) -> ZoneInfo:
    """The zone of that name, such as "Europe/Berlin"; ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError) as cause:
        # Which of them depends on where the name leads: nowhere, to a folder, or out of all folders.
        raise ValueError("names no time zone: take an IANA name, such as Europe/Berlin") from cause
