"""Reads the session token from a call's cookies, as our pages and Supabase's own server-side clients write it.

Supabase's clients store a session as JSON in `sb-<project>-auth-token`, plain, or as `base64-` and base64url. One that
is too long for a cookie is split into `….0`, `….1` and so on.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from aichat_server.core.errors import AichatError, Reason

_NAME = re.compile(r"(sb-.+-auth-token)(?:\.0)?")
_BASE64 = "base64-"


def session_token(headers: Sequence[str], name: str, project: str | None) -> str | None:
    """Returns the token in the cookie `name`, or in Supabase's; None if there is neither.

    Supabase's cookie of `project` precedes those of other projects. Raises CREDENTIALS_INVALID if it has no session.
    """
    cookies = _parse(headers)
    if cookies.get(name):
        return unquote(cookies[name])
    names = dict.fromkeys(match[1] for match in map(_NAME.fullmatch, cookies) if match)
    if not names:
        return None
    ours = f"sb-{project}-auth-token"
    return _access_token(unquote(_joined(cookies, ours if ours in names else next(iter(names)))))


def _parse(headers: Sequence[str]) -> dict[str, str]:
    # HTTP/2 may send one cookie per header line (RFC 9113, section 8.2.3). Of two with the same name the first counts.
    cookies: dict[str, str] = {}
    for crumb in ";".join(headers).split(";"):
        name, _, value = crumb.strip().partition("=")
        cookies.setdefault(name, value.strip('"'))
    return cookies


def _joined(cookies: Mapping[str, str], name: str) -> str:
    if cookies.get(name):
        return cookies[name]
    chunks: list[str] = []
    while (chunk := cookies.get(f"{name}.{len(chunks)}")) is not None:
        chunks.append(chunk)
    return "".join(chunks)


def _access_token(stored: str) -> str:
    try:
        if stored.startswith(_BASE64):
            encoded = stored.removeprefix(_BASE64)
            stored = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
        session = json.loads(stored)
        # Older clients store a list that begins with it.
        token = session[0] if isinstance(session, list) else session["access_token"]
    except (ValueError, LookupError, TypeError, RecursionError) as cause:
        raise _no_session() from cause
    if not isinstance(token, str):
        raise _no_session()
    return token


def _no_session() -> AichatError:
    return AichatError(Reason.CREDENTIALS_INVALID, "the session cookie has no session; sign in again")
