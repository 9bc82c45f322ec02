"""The server's commands: `python -m aichat_server serve | migrate | prices | keys | organizations | …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from uuid import UUID, uuid4

from aichat_server.commands.arguments import (
    count,
    count_or_any,
    days,
    email,
    models_or_any,
    price,
    rates,
    signed_usd,
    trial_days,
    usd,
    usd_or_any,
)
from aichat_server.core.actor import Actor, acting_as
from aichat_server.core.clock_skew import ClockWrongError
from aichat_server.core.errors import AichatError
from aichat_server.core.loading import loading
from aichat_server.core.periods import parse_month
from aichat_server.plans.domain import Plan
from aichat_server.quotas.domain import QuotaPeriod
from aichat_server.settings import Fault, Settings, SettingsError, load_settings

Run = Callable[[Settings, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 1 for a failure, 2 for invalid settings."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings(_check(options))
        with acting_as(_actor(options)):
            return _command(settings, options)(settings, options)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (AichatError, ClockWrongError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _actor(options: argparse.Namespace) -> Actor:
    """Returns the actor of sessions that no caller opens: an operator, or the server itself."""
    module, function = options.command
    return Actor.server() if module == "serve" else Actor.command(f"{module} {function}")


def _check(options: argparse.Namespace) -> Callable[[Settings], Iterable[Fault]]:
    """Returns the check for conflicts between settings; only servers need models and vendors, and load their lists."""
    if options.command[0] not in ("serve", "check_config"):
        return lambda _: ()
    with loading():
        check: Callable[[Settings], Iterable[Fault]] = import_module("aichat_server.app.configuration").find_faults
    return check


def _command(settings: Settings, options: argparse.Namespace) -> Run:
    """Returns the command's function; loads its module only now, since the vendors' SDKs take seconds to load."""
    module, function = options.command
    if module == "serve" and len(settings.listen) > 1:
        module = "serve_each"
    with loading():
        run: Run = getattr(import_module(f"aichat_server.commands.{module}"), function)
    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aichat_server", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("serve", help="serve gRPC, with one process for each address of AICHAT_LISTEN")
    command.add_argument("--until-stdin-ends", action="store_true", help="also stop when standard input ends")
    command.set_defaults(command=("serve", "run"))
    command = commands.add_parser("migrate", help="migrate the database to this version's schema")
    command.set_defaults(command=("migrate", "run"))
    command = commands.add_parser("check-config", help="check the settings and connect to nothing")
    command.set_defaults(command=("check_config", "run"))
    _add_prices(commands.add_parser("prices", help="update the models' prices"))
    _add_keys(commands.add_parser("keys", help="create and revoke API keys"))
    _add_organizations(
        commands.add_parser("organizations", help="set contact and time zone of organisations, erase members")
    )
    _add_quotas(commands.add_parser("quotas", help="set, remove and show limits of spending"))
    _add_usage(commands.add_parser("usage", help="check or rebuild the hourly sums"))
    _add_plans(commands.add_parser("plans", help="show the plans, and change their terms"))
    _add_webhooks(commands.add_parser("webhooks", help="list and retry the payment provider's events"))
    _add_invoices(commands.add_parser("invoices", help="close a month, and manage its invoices"))
    return parser


def _add_invoices(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="advance a month's invoices as far as possible, as workers do")
    running.add_argument("--dry-run", action="store_true", help="show what would be charged, and change nothing")
    running.set_defaults(command=("invoices", "run"))
    showing = commands.add_parser("show", help="print an invoice and its lines")
    showing.set_defaults(command=("invoices", "show"))
    listing = commands.add_parser("unpaid", help="print unpaid invoices")
    listing.set_defaults(command=("invoices", "unpaid"))
    retrying = commands.add_parser("retry", help="restart an invoice that is not final")
    retrying.set_defaults(command=("invoices", "retry"))
    voiding = commands.add_parser("void", help="void an unpaid invoice")
    voiding.set_defaults(command=("invoices", "void"))
    adjusting = commands.add_parser("adjust", help="add an amount to the next invoice; below 0 it is a credit")
    adjusting.add_argument("--usd", type=signed_usd, required=True, help="such as -5.00")
    adjusting.set_defaults(command=("invoices", "adjust"))
    refunding = commands.add_parser("refund", help="refund part of a payment")
    refunding.add_argument("--cents", type=int, required=True, help="how many")
    refunding.set_defaults(command=("invoices", "refund"))
    for command in (running, showing, retrying, voiding, refunding):
        command.add_argument("--month", type=parse_month, required=True, help="such as 2026-10")
    for command in (showing, retrying, voiding, adjusting, refunding):
        command.add_argument("--organization-id", type=UUID, required=True)
    for command in (adjusting, refunding):
        command.add_argument("--reason", required=True, help="the text that the organisation reads")
        command.add_argument("--actor", required=True, help="who decided on it")
        command.add_argument(
            "--id", type=UUID, default=uuid4(), help="a command that is repeated with the same id takes effect once"
        )


def _add_usage(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verify = commands.add_parser("verify", help="print the hours whose sums differ from the ledger")
    verify.add_argument("--organization-id", type=UUID, required=True)
    verify.set_defaults(command=("usage", "verify"))
    rebuild = commands.add_parser("rebuild", help="sum every hour from the ledger again")
    rebuild.add_argument("--organization-id", type=UUID, help="for one organisation; absent: for all")
    rebuild.set_defaults(command=("usage", "rebuild"))


def _add_prices(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("sync", help="add the prices that changed; `migrate` does so, too")
    command.set_defaults(command=("prices", "sync"))


def _add_keys(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("mint", help="create an API key, shown only once")
    whose = command.add_mutually_exclusive_group(required=True)
    whose.add_argument(
        "--organization", metavar="NAME", help="create an organisation with this name, which must be new"
    )
    whose.add_argument("--organization-id", type=UUID, metavar="ID", help="for an existing organisation")
    command.add_argument("--owner", action="store_true", help="allow what only owners may do, such as pay")
    command.add_argument("--expires-in-days", type=days, metavar="N", help="how long it is valid; absent: forever")
    command.add_argument("--plan", type=Plan, choices=list(Plan), help="the organisation's plan; initially free")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=("keys", "mint"))
    command = commands.add_parser("revoke", help="revoke an API key")
    command.add_argument("key_id", type=UUID)
    command.add_argument("--organization-id", type=UUID, required=True)
    command.set_defaults(command=("keys", "revoke"))
    command = commands.add_parser("erase", help="erase an API key, except for its id in the ledger")
    command.add_argument("key_id", type=UUID)
    command.add_argument("--organization-id", type=UUID, required=True)
    command.set_defaults(command=("erase", "key"))


def _add_organizations(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("set-contact", help="address of e-mails for members without one")
    command.add_argument("--organization-id", type=UUID, required=True)
    command.add_argument("--email", type=email, help="absent: nowhere")
    command.set_defaults(command=("organizations", "set_contact"))
    command = commands.add_parser("set-time-zone", help="time zone of the days of usage; initially UTC")
    command.add_argument("--organization-id", type=UUID, required=True)
    command.add_argument("--zone", required=True, help="an IANA name, such as Europe/Berlin")
    command.set_defaults(command=("organizations", "set_time_zone"))
    command = commands.add_parser("erase-member", help="erase a member, except for its id in the ledger")
    command.add_argument("--organization-id", type=UUID, required=True)
    command.add_argument("--member-id", type=UUID, required=True)
    command.set_defaults(command=("erase", "member"))


def _add_quotas(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    setting = commands.add_parser("set", help="set or replace a quota")
    setting.set_defaults(command=("quotas", "set_quota"))
    removing = commands.add_parser("remove", help="remove a quota")
    removing.set_defaults(command=("quotas", "remove"))
    for command in (setting, removing):
        owner = command.add_mutually_exclusive_group()
        owner.add_argument("--member-id", type=UUID, help="for one member; absent: for the whole organisation")
        owner.add_argument("--key-id", type=UUID, help="for one API key")
        command.add_argument("--period", type=QuotaPeriod, choices=list(QuotaPeriod), default=QuotaPeriod.MONTH)
    setting.add_argument("--hard", type=usd, metavar="USD", help="spending above this is refused")
    setting.add_argument("--soft", type=usd, metavar="USD", help="spending above this is reported, not refused")
    showing = commands.add_parser("show", help="print quotas and their use")
    showing.set_defaults(command=("quotas", "show"))
    for command in (setting, removing, showing):
        command.add_argument("--organization-id", type=UUID, required=True)


def _add_plans(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("show", help="print the terms in force")
    command.set_defaults(command=("plans", "show"))
    command = commands.add_parser("set", help="change a plan's terms from now on; what is left out stays as it is")
    command.add_argument("plan", type=Plan, choices=list(Plan))
    command.add_argument("--seat-usd", type=price, metavar="USD", help="price of a seat for a month")
    command.add_argument("--included-usd", type=usd, metavar="USD", help="usage included in a month")
    command.add_argument(
        "--overage-basis-points", type=count, metavar="N", help="percentage that usage above that costs on top"
    )
    command.add_argument(
        "--overage-cap-usd",
        type=usd_or_any,
        metavar="USD|any",
        help="the most that may be owed for it; any: the platform's limit",
    )
    for whose in ("caller", "organization"):
        command.add_argument(f"--{whose}-rates", type=rates, metavar="R,T,S", help="requests, tokens, open streams")
    command.add_argument("--most-seats", type=count_or_any, metavar="N|any")
    command.add_argument("--models", type=models_or_any, metavar="ID,...|any", help="the models on offer")
    command.add_argument("--retention-days", type=count_or_any, metavar="N|any", help="how long conversations are kept")
    command.add_argument("--trial-days", type=trial_days, metavar="N", help="trial of the first subscription")
    command.set_defaults(command=("plans", "set_terms"))


def _add_webhooks(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("parked", help="print the events that were given up")
    command.set_defaults(command=("webhooks", "parked"))
    command = commands.add_parser("retry", help="retry one of them")
    command.add_argument("event_id")
    command.set_defaults(command=("webhooks", "retry"))


if __name__ == "__main__":
    sys.exit(main())
