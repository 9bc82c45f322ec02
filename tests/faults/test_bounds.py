"""The table of bounds has a row for every link and every fault, and for no others."""

from __future__ import annotations

from itertools import product

from tests.faults.bounds import DOCUMENT, FAULTS, read_bounds
from tests.faults.test_p15_broken_links import CONDITIONS, LINKS

OTHERS = ("server ↔ auth", "server ↔ Stripe", "worker ↔ SMTP", "server ↔ collector")


def test_each_link_has_a_row_for_each_fault() -> None:
    bounds = read_bounds()
    assert set(bounds) == set(product((*LINKS, *OTHERS), FAULTS))
    # Each link once, and each in a form that `read_bounds` understands.
    assert DOCUMENT.read_text().count(" ↔ ") == len(bounds)


def test_each_fault_is_tried() -> None:
    assert set(CONDITIONS.values()) == set(FAULTS)
