"""One call: the input of a handler, and the form of its output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .failures import invalid, unknown_parameter
from .forms import Params
from .world import Object, World, listed, present

PAGED = "limit starting_after ending_before"
_ALWAYS = {"expand"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request to execute."""

    world: World
    params: Params
    id: str
    """The object that the path names; empty if it names none."""
    path: str

    def subject(self, kind: str, *, deleted: bool = False) -> Object:
        """Returns the object that the path names."""
        return self.world.find(kind, self.id, deleted=deleted)

    def named(self, kind: str, name: str) -> Object | None:
        """Returns the object that a parameter names; None without the parameter."""
        key = self.params.text(name)
        return None if key is None else self.world.named(kind, key, self.params.name(name))

    def page(self, things: Iterable[Object], *, newest_first: bool = True) -> Object:
        """Returns the requested page of a list."""
        every = list(things)
        if newest_first:
            every.reverse()
        limit = self.params.number("limit")
        limit = 10 if limit is None else limit
        if not 1 <= limit <= 100:
            raise invalid("Invalid limit: it must be from 1 to 100", "limit")
        after, before = self.params.text("starting_after"), self.params.text("ending_before")
        if after is not None:
            every = every[self._place(every, after, "starting_after") + 1 :]
        if before is not None:
            every = every[: self._place(every, before, "ending_before")]
            part = every[-limit:]
        else:
            part = every[:limit]
        return {**listed(part, self.path), "has_more": len(every) > len(part)}

    def _place(self, things: list[Object], key: str, param: str) -> int:
        place = next((index for index, thing in enumerate(things) if thing["id"] == key), None)
        if place is None:
            raise invalid(f"No such object: '{key}'", param, "resource_missing")
        return place


Handler = Callable[[Call], Object]


@dataclass(frozen=True, slots=True)
class Route:
    """A path, its handler, and the parameters that it accepts."""

    method: str
    path: str
    handler: Handler
    takes: str = ""

    def check(self, params: Mapping[str, Any]) -> None:
        """Raises CallFailedError for parameters that it does not accept."""
        for name in params:
            if name not in _ALWAYS and name not in self.takes.split():
                raise unknown_parameter(name)


def shown(world: World, answer: Object, expand: Iterable[str]) -> Object:
    """Returns the response: ids in the places named by `expand` become their objects."""
    # A page of a list has the requested length; lists inside its entries are shortened.
    whole: Object = answer | {"data": present(answer["data"])} if answer["object"] == "list" else present(answer)
    for place in expand:
        _expand(world, whole, place.split("."), place)
    return whole


def _expand(world: World, node: Any, steps: list[str], place: str) -> None:
    if isinstance(node, list):
        for one in node:
            _expand(world, one, steps, place)
        return
    if not steps or node is None:
        return
    step, rest = steps[0], steps[1:]
    if node.get("object") in {"invoice", "charge"} and step in {"payments", "refunds"}:
        node[step] = _included(world, node, step)
    elif step not in node or not isinstance(node[step], str | dict | list | None):
        raise invalid(f"This property cannot be expanded ({place}).", "expand")
    elif isinstance(node[step], str):
        found = world.anything(node[step])
        if found is None:
            raise invalid(f"This property cannot be expanded ({place}).", "expand")
        node[step] = present(found)
    _expand(world, node[step], rest, place)


def _included(world: World, owner: Object, name: str) -> Object:
    """Returns a list that is only shown on request."""
    if name == "payments":
        found = list(world.every("invoice_payment", invoice=owner["id"]))
        return listed(present(found), f"/v1/invoice_payments?invoice={owner['id']}")
    found = list(world.every("refund", charge=owner["id"]))
    return listed(present(found), f"/v1/charges/{owner['id']}/refunds")
