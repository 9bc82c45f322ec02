"""`aichat chat`: asks one question, or holds a conversation."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Unpack

from aichat_sdk.cli._advice import advice
from aichat_sdk.cli._asked import Asked, files_of, params_of, parts_of, text_of
from aichat_sdk.cli._attached import Attached
from aichat_sdk.cli._context import INTERRUPTED, Context
from aichat_sdk.cli._shown import show_end
from aichat_sdk.cli._state import Last, remember
from aichat_sdk.cli._typed import HELP, Typed, read
from aichat_sdk.errors import AIChatError, NotFoundError
from aichat_sdk.types import ChatParams

with contextlib.suppress(ImportError):
    import readline  # noqa: F401  gives input() line editing and a history, where there is one


def chat(context: Context, *, text: str | None, reasoning: bool, **asked: Unpack[Asked]) -> int:
    """Asks once if the arguments or a piped standard input hold a text; otherwise holds a conversation.

    `reasoning`: whether to show the model's reasoning behind the answer.
    """
    files = files_of(asked)
    params: ChatParams = {"request_id": None, "cancel_on_disconnect": False, **params_of(context, asked)}
    session = _Session(context, params, files, reasoning=reasoning)
    if text is None and context.terminal.converses and not context.json:
        return session.converse()
    return session.ask(text_of(context, text, asked))


class _Session:
    """One conversation."""

    def __init__(self, context: Context, params: ChatParams, files: Sequence[Attached], *, reasoning: bool) -> None:
        """`files`: for the first message."""
        self._context = context
        self._params = params
        self._files = files
        self._reasoning = reasoning
        self._generation: str | None = None
        """The generation of the answer on the screen; None until it has begun."""
        self._shown = False

    def converse(self) -> int:
        """Asks each line that is typed, until Ctrl-D or Ctrl-C at the prompt."""
        terminal = self._context.terminal
        terminal.note(f"{self._params['model']} · Ctrl-C stops an answer, Ctrl-D ends, /help says more")
        while True:
            try:
                text = input("> ")
            except (EOFError, KeyboardInterrupt):
                terminal.line("")
                return 0
            match read(text):
                case Typed.END:
                    return 0
                case Typed.HELP:
                    terminal.note(HELP)
                case Typed.UNKNOWN:
                    terminal.complain(f"there is no command {text.strip()}; /help lists them")
                case Typed.MODEL:
                    self._try_to_ask(text)

    def _try_to_ask(self, text: str) -> None:
        try:
            self.ask(text)
        except AIChatError as error:
            self._context.terminal.complain(advice(error))

    def ask(self, text: str) -> int:
        """Sends the text and shows the answer; Ctrl-C cancels it."""
        before = self._params.get("conversation_id")
        try:
            self._context.runner.run(self._ask(text))
        except KeyboardInterrupt:
            self._context.terminal.note(self._stop())
            self._find_conversation(before)
            return INTERRUPTED
        except AIChatError:
            self._find_conversation(before)
            raise
        return 0

    def _stop(self) -> str:
        """Cancels the answer and returns a line about the result."""
        if self._generation is None:
            return "Stopped waiting. If an answer still begins, it is stored: aichat conversations"
        conversation = self._params["conversation_id"]
        try:
            self._context.runner.run(self._context.client.chat.cancel(self._generation))
        except (AIChatError, KeyboardInterrupt):
            return (
                f"Stopped showing. The server continues to store the answer: aichat conversations show {conversation}"
            )
        if not self._shown:
            return "Stopped before the answer's first word."
        return f"Stopped. What had arrived is stored: aichat conversations show {conversation}"

    def _find_conversation(self, before: str | None) -> None:
        """Returns to conversation `before` if the new one was removed together with its unanswered question."""
        conversation = self._params.get("conversation_id")
        if self._shown or conversation is None or conversation == before:
            return
        try:
            self._context.runner.run(self._context.client.conversations.get(conversation))
        except NotFoundError:
            self._params["conversation_id"] = before
        except (AIChatError, KeyboardInterrupt):
            """The next question will report it."""

    async def _ask(self, text: str) -> None:
        terminal = self._context.terminal
        params: ChatParams = {**self._params, "parts": parts_of(self._files, text)}
        self._generation, self._shown = None, False
        thoughts: list[str] = []
        with terminal.answer() as answer:
            async with self._context.client.chat.stream(**params) as stream:
                self._generation = stream.started.generation_id
                self._params["conversation_id"] = stream.started.conversation_id
                last = Last(self._generation, stream.started.conversation_id, self._params["model"])
                remember(self._context.endpoint, last)
                self._files = ()
                async for event in stream:
                    if event.reasoning_delta is not None:
                        thoughts.append(event.reasoning_delta.text)
                    elif event.text_delta is not None:
                        self._shown = True
                        answer.add(event.text_delta.text)
                message = await stream.get_final_message()
        if self._reasoning and thoughts:
            terminal.note(f"[reasoning] {''.join(thoughts)}")
        show_end(self._context, message)
