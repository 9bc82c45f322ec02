"""The calls of compatible APIs that ask for an answer."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.compat.domain.keeping import Keep
from aichat_server.compat.domain.readers import Reader, Slot
from aichat_server.compat.domain.terms import Terms, caller_id
from aichat_server.identity.domain.principals import Principal


@dataclass(frozen=True, slots=True)
class CompatCall:
    """A call that asks for an answer."""

    asked: Asked
    body: JsonBody
    """The request as it was sent."""
    route: str
    """What the request asks for, such as "chat.completions"."""
    terms: Terms
    keep: Keep | None = None
    """Where the turn is kept; None: nothing of it is."""

    def digest(self) -> bytes:
        """Returns a hash that is the same for calls that ask for the same."""
        return self.terms.digest(self.body.digest(self.route))

    def reader(self, principal: Principal) -> Reader:
        """Returns who reads the answer."""
        stays = self.keep is not None
        if not self.terms.reattaches or (self.keep is not None and self.keep.background):
            return Reader(principal, slot=None, answer_stays=stays)
        slot = Slot(principal.org_id, self.digest() + caller_id(principal).bytes)
        return Reader(principal, slot, retries=self.terms.retries, answer_stays=stays)
