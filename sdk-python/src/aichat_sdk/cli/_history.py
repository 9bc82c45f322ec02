"""`aichat conversations`."""

from __future__ import annotations

from datetime import datetime

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._parts import show_parts
from aichat_sdk.cli._terminal import Terminal
from aichat_sdk.client import AsyncAIChat
from aichat_sdk.paging import Pager
from aichat_sdk.types import Message, MessageState, Role


def list_conversations(context: Context) -> int:
    """Prints one line for each conversation: id, time of the last change, title."""
    if context.json:
        return context.document(conversations=context.all(context.client.conversations.list()))
    context.runner.run(_list_conversations(context.client, context.terminal))
    return 0


async def _list_conversations(client: AsyncAIChat, terminal: Terminal) -> None:
    none = True
    async for conversation in client.conversations.list():
        none = False
        title = " ".join(conversation.title.split()) or "(no title)"
        terminal.line(f"{conversation.conversation_id}  {_local(conversation.update_time)}  {title}")
    if none:
        terminal.note("no conversations yet: `aichat chat` begins one")


def show_conversation(context: Context, *, conversation_id: str, unfold: bool) -> int:
    """Prints the messages of a conversation, the oldest first. `unfold`: with the texts of reasoning."""
    messages = context.client.conversations.list_messages(conversation_id, unfold=unfold)
    if context.json:
        return context.document(messages=context.all(messages))
    context.runner.run(_show_conversation(messages, context.terminal))
    return 0


async def _show_conversation(messages: Pager[Message], terminal: Terminal) -> None:
    async for message in messages:
        terminal.heading(f"{_author(message)} · {_local(message.create_time)}")
        show_parts(terminal, message)
        if message.state in {MessageState.FAILED, MessageState.INTERRUPTED}:
            terminal.note("(this answer is incomplete)")
        terminal.line("")


def rename_conversation(context: Context, *, conversation_id: str, title: str) -> int:
    """Changes a conversation's title."""
    conversation = context.runner.run(context.client.conversations.update(conversation_id, title=title))
    if context.json:
        return context.document(conversation=conversation)
    context.terminal.note(f"renamed to {conversation.title!r}")
    return 0


def delete_conversation(context: Context, *, conversation_id: str) -> int:
    """Deletes a conversation for good."""
    context.runner.run(context.client.conversations.delete(conversation_id))
    if context.json:
        return context.document()
    context.terminal.note("deleted")
    return 0


def _author(message: Message) -> str:
    return message.model if message.role is Role.ASSISTANT else "You"


def _local(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")
