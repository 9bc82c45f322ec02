"""Registers the fixtures; each file of tests/fixtures starts one part of the sandbox."""

import gc
from pathlib import Path
from zlib import crc32

import pytest

# While the tests are loaded, nearly all objects stay: collections would find nothing, and take a quarter of the time.
gc.disable()

TESTS = Path(__file__).parent
RIGS = 3

pytest_plugins = [
    "tests.fixtures.auth",
    "tests.fixtures.rpc",
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


def pytest_collection_finish() -> None:
    """Collects garbage from now on, and never examines again what has been loaded."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups the tests of a file, and all tests that share a platform or a rig, which take long to start."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        used = fixtures & {"platform", "seen"}
        group = used.pop() if used else str(item.path.relative_to(TESTS))
        if "_rig" in fixtures:
            # With one rig for all, these tests would take longer than all the others together.
            group = f"rig {crc32(group.encode()) % RIGS}"
        item.add_marker(pytest.mark.xdist_group(group))
