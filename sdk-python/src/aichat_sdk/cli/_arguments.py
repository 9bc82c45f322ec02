"""The command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeAlias, get_args

from aichat_sdk._version import __version__
from aichat_sdk.cli import _again as again
from aichat_sdk.cli import _files as files
from aichat_sdk.cli import _history as history
from aichat_sdk.cli._chat import chat
from aichat_sdk.cli._completion import SHELLS, script
from aichat_sdk.cli._context import Context
from aichat_sdk.cli._count import count
from aichat_sdk.cli._invoices import list_invoices, verify
from aichat_sdk.cli._models import list_models
from aichat_sdk.cli._plans import plans
from aichat_sdk.cli._terminal import Terminal
from aichat_sdk.cli._usage import usage
from aichat_sdk.types import Effort
from aichat_sdk.usage import Dimension

Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and against which platform."""

    run: Callable[[Context], int]
    endpoint: str | None
    api_key: str | None
    json: bool


@dataclass(frozen=True, slots=True)
class Local:
    """What to run without a platform."""

    run: Callable[[Terminal], int]
    json: bool


class _UsageError(Exception):
    """The arguments are wrong."""


class _Parser(argparse.ArgumentParser):
    """Leaves it to `parse` how to say what is wrong."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{self.format_usage()}{self.prog}: error: {message}", message)


def parse(arguments: list[str] | None) -> Command | Local:
    """Parses the arguments, `sys.argv` if None; exits with code 2 if they are wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = vars(_parser().parse_args(given))
    except _UsageError as wrong:
        text, message = wrong.args
        if {"-j", "--json"} & set(given):
            text = json.dumps({"error": {"kind": "UsageError", "message": message}})
        sys.stderr.write(text + "\n")
        sys.exit(2)
    if "shell" in options:
        return Local(partial(_complete, options["shell"]), options.get("json", False))
    endpoint, api_key = options.pop("endpoint", None), options.pop("api_key", None)
    for_program = options.pop("json", False)
    return Command(partial(options.pop("run"), **options), endpoint, api_key, for_program)


def _parser() -> _Parser:
    target = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    target.add_argument("--endpoint", metavar="HOST:PORT", help="address of the platform (or AICHAT_ENDPOINT)")
    target.add_argument("--api-key", metavar="KEY", help="an API key (or AICHAT_API_KEY)")
    target.add_argument(
        "-j", "--json", action="store_true", help="print one JSON object on one line, as in the HTTP interface"
    )
    parser = _Parser(
        prog="aichat",
        parents=[target],
        description="Chat with Claude, OpenAI and Gemini models through the AI chat platform.",
        epilog="Without --endpoint and AICHAT_ENDPOINT, uses what `make run` started here or in a parent directory.",
    )
    parser.add_argument("--version", action="version", version=f"aichat {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    asked = _asked()
    chatting = commands.add_parser("chat", parents=[target, asked], help="ask a model, or hold a conversation")
    chatting.add_argument("--reasoning", action="store_true", help="show the model's reasoning behind the answer")
    chatting.set_defaults(run=chat)
    counting = commands.add_parser("count", parents=[target, asked], help="count a message's tokens without sending it")
    counting.set_defaults(run=count)
    _add_again(commands, target)
    conversations = commands.add_parser("conversations", parents=[target], help="show, rename and delete conversations")
    conversations.set_defaults(run=history.list_conversations)
    _add_conversations(conversations, target)
    models = commands.add_parser("models", parents=[target], help="list the models, their prices and abilities")
    models.set_defaults(run=list_models)
    _add_files(commands.add_parser("files", parents=[target], help="store files for messages, and read them"), target)
    _add_usage(commands.add_parser("usage", parents=[target], help="show the cost of the last days, and the quotas"))
    commands.add_parser("plans", parents=[target], help="list the plans, and show the subscription").set_defaults(
        run=plans
    )
    _add_invoices(commands.add_parser("invoices", parents=[target], help="list invoices, or verify one"), target)
    completing = commands.add_parser("completion", parents=[target], help="print a script that completes commands")
    completing.add_argument("shell", choices=SHELLS, help="the shell that reads it")
    return parser


def _complete(shell: str, terminal: Terminal) -> int:
    terminal.line(script(shell, _parser()))
    return 0


def _add_again(commands: Commands, target: _Parser) -> None:
    for name, run, about in (
        ("cancel", again.cancel, "cancel an answer, and keep what has arrived"),
        ("resume", again.resume, "show an answer again, and what still arrives"),
    ):
        parser = commands.add_parser(name, parents=[target], help=about)
        parser.add_argument(
            "generation_id", metavar="ID", nargs="?", help="the answer's generation (default: the last one begun here)"
        )
        parser.set_defaults(run=run)


def _add_invoices(parser: argparse.ArgumentParser, target: _Parser) -> None:
    parser.set_defaults(run=list_invoices)
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list", parents=[target], help="list all invoices, the newest first (default)")
    proving = actions.add_parser("verify", parents=[target], help="compare each line of an invoice with the ledger")
    proving.add_argument("month", metavar="MONTH", help="month of the usage, such as 2026-10")
    proving.set_defaults(run=verify)


def _add_usage(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=usage)
    parser.add_argument("--days", metavar="N", type=_days, default=30, help="number of days, at most 399 (default: 30)")
    parser.add_argument("--by", choices=get_args(Dimension), default="model", help="what to group by (default: model)")
    parser.add_argument(
        "--time-zone", metavar="ZONE", default="", help="time zone of the days (default: the organisation's)"
    )


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) < 400:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 399, not {text}")
    return int(text)


def _asked() -> _Parser:
    """Returns the arguments of `chat` and `count`."""
    parser = _Parser(add_help=False)
    add = parser.add_argument
    add("text", nargs="?", help="the message, followed by any piped text; without both, a conversation")
    add(
        "-m", "--model", metavar="ID",
        help="the model to ask (default: that of the continued conversation, AICHAT_MODEL, `model` in "
        "~/.config/aichat/config.toml, or the cheapest of `aichat models`)",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--conversation", metavar="ID", help="the conversation to continue (default: a new one)")
    which.add_argument("-c", "--continue", dest="continues", action="store_true", help="continue the last conversation")
    add("-s", "--system", metavar="TEXT", help="instructions that precede the conversation")
    add("-n", "--max-output-tokens", metavar="N", type=int, help="the most tokens that an answer may have")
    add("-e", "--effort", choices=get_args(Effort), help="how much the model should reason")
    add(
        "-f", "--file", dest="files", metavar="PATH", action="append", default=[],
        help="an image, a document or sound for the first message, - for standard input; may be repeated",
    )  # fmt: skip
    add("--search", action="store_true", help="let the model search the web")
    add("--schema", metavar="PATH", help="a file with the JSON Schema that the answer must follow")
    return parser


def _add_files(parser: argparse.ArgumentParser, target: _Parser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    upload = actions.add_parser("upload", parents=[target], help="store a file, and print its id")
    upload.add_argument("path", metavar="PATH")
    upload.set_defaults(run=files.upload)
    get = actions.add_parser("get", parents=[target], help="print what is known of a file")
    get.add_argument("file_id", metavar="ID")
    get.add_argument("-o", "--output", metavar="PATH", type=Path, help="write the file's bytes there")
    get.set_defaults(run=files.get)


def _add_conversations(parser: argparse.ArgumentParser, target: _Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list", parents=[target], help="list all, the most recently changed first (default)")
    show = actions.add_parser("show", parents=[target], help="show the messages of a conversation")
    show.add_argument("--unfold", action="store_true", help="with the texts of reasoning")
    show.set_defaults(run=history.show_conversation)
    rename = actions.add_parser("rename", parents=[target], help="change a conversation's title")
    rename.set_defaults(run=history.rename_conversation)
    delete = actions.add_parser("delete", parents=[target], help="delete a conversation and its messages for good")
    delete.set_defaults(run=history.delete_conversation)
    for action in (show, rename, delete):
        action.add_argument("conversation_id", metavar="ID")
    rename.add_argument("title", metavar="TITLE")
