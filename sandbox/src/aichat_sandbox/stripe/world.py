"""The stand-in's state: every object by its id, and the time."""

from __future__ import annotations

import copy
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .failures import no_such

Object = dict[str, Any]

API_VERSION = "2026-10-28.endive"
EMBEDDED = 10
"""How many entries of a list an object shows."""

PREFIXES = {
    "customer": "cus",
    "product": "prod",
    "price": "price",
    "checkout.session": "cs_test",
    "billing_portal.session": "bps",
    "subscription": "sub",
    "subscription_item": "si",
    "payment_method": "pm",
    "invoiceitem": "ii",
    "invoice": "in",
    "line_item": "il",
    "invoice_payment": "inpay",
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "credit_note": "cn",
    "credit_note_line_item": "cnli",
    "event": "evt",
}


def load_samples() -> dict[str, Object]:
    """Returns Stripe's published samples, by kind."""
    samples: dict[str, Object] = json.loads((Path(__file__).parent / "samples/samples.json").read_text())
    return samples


@dataclass(slots=True)
class World:
    """One Stripe account. It changes only between two awaits, so that no call sees another's partial changes."""

    samples: dict[str, Object]
    objects: dict[str, dict[str, Object]] = field(default_factory=dict)
    """By kind and id, in order of creation."""
    baskets: dict[str, Object] = field(default_factory=dict)
    """The items of each checkout session, by its id."""
    ahead: int = 0
    """Seconds by which the clock was advanced."""
    origin: str = ""
    """The base URL of its pages."""
    cause: Object = field(default_factory=lambda: {"id": None, "idempotency_key": None})
    """The request that is being served."""
    listener: Callable[[Object], None] = lambda _: None
    """Called with each new event."""

    def now(self) -> int:
        """The time in Unix seconds."""
        return int(time.time()) + self.ahead

    def mould(self, kind: str, *kept: str, **fields: Any) -> Object:
        """Returns an object with the sample's keys: those in `kept` with its values, lists empty, all others null."""
        sample = self.samples[kind]
        blank: Object = {name: [] if isinstance(value, list) else None for name, value in sample.items()}
        blank |= {name: copy.deepcopy(sample[name]) for name in kept}
        common = {"id": f"{PREFIXES[kind]}_{secrets.token_hex(12)}", "object": kind}
        if "livemode" in sample:
            blank["livemode"] = False
        if "created" in sample:
            blank["created"] = self.now()
        if "metadata" in sample:
            blank["metadata"] = {}
        return blank | common | fields

    def add(self, thing: Object) -> Object:
        """Stores a new object."""
        self.objects.setdefault(thing["object"], {})[thing["id"]] = thing
        return thing

    def every(self, kind: str, **where: Any) -> Iterator[Object]:
        """Yields the objects of a kind with these field values, the oldest first; not the deleted ones."""
        for thing in list(self.objects.get(kind, {}).values()):
            if not thing.get("deleted") and all(thing[name] == value for name, value in where.items()):
                yield thing

    def find(self, kind: str, key: str, *, param: str = "id", status: int = 404, deleted: bool = False) -> Object:
        """Returns an object; a deleted one only if `deleted`."""
        thing = self.objects.get(kind, {}).get(key)
        if thing is None or (thing.get("deleted") and not deleted):
            raise no_such(kind.replace("checkout.session", "checkout session"), key, param, status=status)
        return thing

    def named(self, kind: str, key: str, param: str) -> Object:
        """Returns the object that a parameter names."""
        return self.find(kind, key, param=param, status=400)

    def anything(self, key: str) -> Object | None:
        """Returns the object with this id, of any kind."""
        return next((things[key] for things in self.objects.values() if key in things), None)

    def emit(self, kind: str, thing: Object, previous: Object | None = None) -> Object:
        """Creates an event about `thing`; `previous` has the old values of changed fields."""
        data: Object = {"object": present(thing)}
        if previous is not None:
            data["previous_attributes"] = copy.deepcopy(previous)
        event = self.mould(
            "event", api_version=API_VERSION, data=data, pending_webhooks=0, request=dict(self.cause), type=kind
        )
        self.listener(self.add(event))
        return event

    def change(self, thing: Object, kind: str | None, **fields: Any) -> None:
        """Sets fields of `thing`; emits an event of this kind, if one is given and anything changed."""
        previous = {name: thing[name] for name, value in fields.items() if thing[name] != value}
        thing.update(fields)
        if kind and previous:
            self.emit(kind, thing, previous)

    def remove(self, thing: Object, *, tombstone: bool = False) -> Object:
        """Removes `thing`, or leaves a tombstone; returns the response to the caller."""
        gone = {"id": thing["id"], "object": thing["object"], "deleted": True}
        if tombstone:
            self.objects[thing["object"]][thing["id"]] = gone
        else:
            del self.objects[thing["object"]][thing["id"]]
        return gone


def listed(data: list[Object], url: str) -> Object:
    """Returns a complete list inside an object."""
    return {"object": "list", "data": data, "has_more": False, "url": url}


def present(thing: Any) -> Any:
    """Returns a copy in the form that callers see: inner lists show their first entries."""
    if isinstance(thing, list):
        return [present(one) for one in thing]
    if not isinstance(thing, dict):
        return thing
    shown = {name: present(value) for name, value in thing.items()}
    if shown.get("object") == "list" and len(shown["data"]) > EMBEDDED:
        shown |= {"data": shown["data"][:EMBEDDED], "has_more": True}
    return shown
