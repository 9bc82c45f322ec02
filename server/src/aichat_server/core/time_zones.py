"""Time zones by their IANA names."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def load_zone(name: str) -> ZoneInfo:
    """Returns the zone with that name, such as "Europe/Berlin"; raises ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError) as cause:
        # The exception depends on the name's path: to nothing, to a folder, or out of all folders.
        raise ValueError("is not a time zone: use an IANA name, such as Europe/Berlin") from cause
