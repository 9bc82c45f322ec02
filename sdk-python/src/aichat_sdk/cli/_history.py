"""`aichat conversations` and `aichat models`."""

from __future__ import annotations

from datetime import datetime

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._terminal import Terminal, dollars
from aichat_sdk.client import AsyncAIChat
from aichat_sdk.types import Message, MessageState, Model, Role, message_text, money_usd


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


def show_conversation(context: Context, *, conversation_id: str) -> int:
    """Prints the messages of a conversation, the oldest first."""
    if context.json:
        return context.document(messages=context.all(context.client.conversations.list_messages(conversation_id)))
    context.runner.run(_show_conversation(context.client, context.terminal, conversation_id))
    return 0


async def _show_conversation(client: AsyncAIChat, terminal: Terminal, conversation_id: str) -> None:
    async for message in client.conversations.list_messages(conversation_id):
        terminal.heading(f"{_author(message)} · {_local(message.create_time)}")
        terminal.markdown(message_text(message))
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


def list_models(context: Context) -> int:
    """Prints one line for each model: id, vendor, prices."""
    models = context.runner.run(context.client.models.list())
    if context.json:
        return context.document(models=models)
    width = max((len(model.model) for model in models), default=0)
    vendors = max((len(model.provider) for model in models), default=0)
    for model in models:
        context.terminal.line(f"{model.model:<{width}}  {model.provider:<{vendors}}  {_prices(model)}")
    return 0


def _prices(model: Model) -> str:
    if not model.prices:
        return ""
    base = model.prices[0]
    return f"{dollars(money_usd(base.input))} in, {dollars(money_usd(base.output))} out per million tokens"


def _author(message: Message) -> str:
    return message.model if message.role is Role.ASSISTANT else "You"


def _local(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")
