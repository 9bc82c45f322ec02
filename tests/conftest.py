"""What every test can ask for; each fixture file starts one part of the sandbox."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent

pytest_plugins = [
    "tests.fixtures.auth",
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
    "tests.fixtures.cluster",
    "tests.fixtures.mail",
    "tests.fixtures.stripe",
    "tests.fixtures.vendors",
    "tests.fixtures.server",
    "tests.fixtures.platform",
    "tests.fixtures.seen",
    "tests.fixtures.tally",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file stay together, and those that share a platform: it starts but once."""
    for item in items:
        used = {"platform", "seen"}.intersection(getattr(item, "fixturenames", ()))
        group = used.pop() if used else str(item.path.relative_to(TESTS))
        item.add_marker(pytest.mark.xdist_group(group))
