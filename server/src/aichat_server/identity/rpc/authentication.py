"""Authenticates calls: reads the credentials from a call's headers and sets the caller's identity."""

from __future__ import annotations

from collections.abc import Collection

from structlog.contextvars import bind_contextvars

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.origins import is_loopback
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.rpc.session_cookie import session_token
from aichat_server.identity.service.authenticator import Authenticator
from aichat_server.identity.service.caller import set_principal
from aichat_server.transport.call import Call

_SHOWN_ORIGIN_CHARACTERS = 200


class Authentication:
    """The step that authenticates calls: by the header `x-api-key` or `authorization`, or by the session cookie."""

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        cookie: str,
        origins: Collection[str],
        loopback: bool = False,
        project: str | None = None,
    ) -> None:
        """`cookie` names the session cookie, `project` that of Supabase.

        Only pages of `origins` may use them and, with `loopback`, those of the caller's own machine.
        """
        self._authenticator = authenticator
        self._cookie = cookie
        self._project = project
        self._origins = frozenset(origins)
        self._loopback = loopback

    async def authenticate(self, call: Call) -> None:
        """Sets the caller for the call's handler and log lines; raises AichatError without a valid caller.

        Public RPCs need no credentials.
        """
        if call.access.public:
            return
        principal = await self._principal(call)
        set_principal(principal.calling(call.request_id, call.client_address))
        call.org_id = principal.org_id
        bind_contextvars(org_id=str(principal.org_id))

    async def _principal(self, call: Call) -> Principal:
        keys = call.values("x-api-key")
        if keys:
            return await self._authenticator.authenticate(_only(keys))
        headers = call.values("authorization")
        if headers:
            return await self._authenticator.authenticate(_bearer(headers))
        # Any page can send a request of a foreign API without asking first, so a cookie would let it act for the user.
        cookies = call.values("cookie") if call.access.foreign_api is None else []
        session = session_token(cookies, self._cookie, self._project)
        if session is None:
            message = "the call has no credentials; send `authorization: Bearer <API key or session token>`"
            raise AichatError(Reason.CREDENTIALS_MISSING, message)
        self._check_origin(call)
        return await self._authenticator.authenticate_session(session)

    def _check_origin(self, call: Call) -> None:
        """Checks the page's origin: a browser sends the cookie for any page, but only ours may change anything."""
        origins = call.values("origin")
        if not origins and call.access.reads_only:
            return
        if len(origins) == 1 and (origins[0] in self._origins or (self._loopback and is_loopback(origins[0]))):
            return
        origin = ", ".join(origins)[:_SHOWN_ORIGIN_CHARACTERS]
        message = "this page's origin may not use the session cookie; send the token as `authorization: Bearer` instead"
        raise AichatError(Reason.ORIGIN_NOT_ALLOWED, message, metadata={"origin": origin})


def _only(keys: list[str]) -> str:
    if len(keys) > 1 or not keys[0].strip():
        raise AichatError(Reason.CREDENTIALS_INVALID, "the `x-api-key` header is not one API key")
    return keys[0].strip()


def _bearer(headers: list[str]) -> str:
    scheme, _, credentials = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not credentials.strip():
        message = "the `authorization` header is not `Bearer <API key or session token>`"
        raise AichatError(Reason.CREDENTIALS_INVALID, message)
    return credentials.strip()
