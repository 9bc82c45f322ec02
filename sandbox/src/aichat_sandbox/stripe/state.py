"""The stand-in's state, stored in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from .faults import Faults
from .idempotency import Keys
from .webhooks import Webhooks
from .world import World, load_samples


@dataclass(slots=True)
class Account:
    """One Stripe account, and the faults and webhooks of its stand-in."""

    world: World
    keys: Keys
    file: Path | None
    """The file that stores it; None: it is only in memory."""
    webhooks: Webhooks = field(default_factory=Webhooks)
    faults: Faults = field(default_factory=Faults)

    @classmethod
    def open(cls, file: Path | None) -> Account:
        """Returns the account in this file; an empty one if the file does not exist."""
        world = World(load_samples())
        account = cls(world, Keys(world.now), file)
        world.listener = account.webhooks.queue
        if file is not None and file.exists():
            kept = json.loads(file.read_text())
            world.objects, world.baskets, world.ahead = kept["objects"], kept["baskets"], kept["ahead"]
            account.keys.kept = kept["keys"]
        return account

    def save(self) -> None:
        """Writes the file atomically."""
        if self.file is None:
            return
        world = self.world
        kept = {
            "objects": world.objects,
            "baskets": world.baskets,
            "ahead": world.ahead,
            "keys": self.keys.kept,
        }
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(kept))
        fresh.replace(self.file)
