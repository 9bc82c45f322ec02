"""Keeps the turns of calls as turns of conversations, where their callers ask for it."""

from __future__ import annotations

from aichat_server.compat.domain.keeping import Keep
from aichat_server.conversations.service.kept_turns import KeptPlace, KeptQuestion, KeptTurns
from aichat_server.providers.domain.requests import Prompt


class Keeping:
    """Keeps turns."""

    def __init__(self, turns: KeptTurns) -> None:
        self._turns = turns

    def question(self, keep: Keep, prompt: Prompt) -> KeptQuestion:
        """Returns what asks for an answer to the prompt, and keeps its new messages. Raises REQUEST_INVALID."""
        place = KeptPlace(keep.conversation_id, keep.parent_message_id)
        return self._turns.question(place, prompt, keep.new_messages(prompt.messages), keep.response)
