"""What a caller says about retries, in the headers of its call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID, uuid5

from aichat_server.generations.domain.generation import Claim
from aichat_server.identity.domain.principals import Principal

# Never change it: the request ids of keys derive from it.
_KEYS = UUID("0c9e3ed2-6b53-4f37-9d29-0b6a5c1b7f5e")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a call may be repeated."""

    key: str | None = None
    """The call's Idempotency-Key: calls with the same one get one answer. None: it has none."""
    forms: tuple[str, ...] = ()
    """The headers that change what the same body asks for."""
    reattaches: bool = True
    """Whether a call without a key may continue the answer of an earlier one."""
    retries: bool | None = None
    """Whether the client says that it repeats an earlier call; None: it never says so."""

    def claim(self, principal: Principal, route: str, digest: bytes) -> Claim | None:
        """Returns the request id of the key, which is the caller's own; None without a key."""
        if self.key is None:
            return None
        name = f"{caller_id(principal)} {route}\n{self.key}"
        return Claim(uuid5(_KEYS, name), fingerprint=digest)

    def digest(self, body: bytes) -> bytes:
        """Returns a hash of all that the call asks for. `body`: the hash of its body."""
        return hashlib.sha256("\n".join(self.forms).encode() + b"\n" + body).digest() if self.forms else body


def caller_id(principal: Principal) -> UUID:
    """Returns the API key that calls or, with a session token, the member."""
    return principal.key_id or principal.member_id
