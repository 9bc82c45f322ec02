"""Registers the fixtures; each file of tests/fixtures starts one part of the sandbox."""

import gc
import os
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

import pytest

from tests.fixtures.nursery import VARIABLE, open_nursery

# While the tests are loaded, nearly all objects stay: collections would find nothing, and take a quarter of the time.
gc.disable()

TESTS = Path(__file__).parent
# Where most tests are; the other folders hold environments, with the tests of others.
FOLDERS = ("contract", "e2e", "faults", "integration", "unit")
RIGS = 4

FIXTURES = [
    "tests.fixtures.auth",
    "tests.fixtures.cluster",
    "tests.fixtures.mail",
    "tests.fixtures.platform",
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
    "tests.fixtures.rpc",
    "tests.fixtures.seen",
    "tests.fixtures.server",
    "tests.fixtures.stripe",
    "tests.fixtures.tally",
    "tests.fixtures.vendors",
]
pytest.register_assert_rewrite(*FIXTURES)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the fixtures.

    The process that only hands out the tests needs none, and loading them takes seconds.
    """
    if config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        os.environ[VARIABLE] = stack.enter_context(open_nursery())
        return
    for name in FIXTURES:
        config.pluginmanager.import_plugin(name)


def pytest_collection(session: pytest.Session) -> None:
    """Loads a share of all tests first, so that not every process compiles each of them for itself."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        first, every = int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        found = sorted(path for folder in FOLDERS for path in (TESTS / folder).rglob("test_*.py"))
        for path in found[first::every]:
            # Collecting tells what cannot be loaded.
            with suppress(Exception):
                import_module(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Collects garbage from now on, and never examines again what has been loaded."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups the tests of a file, and all tests that share a platform or a rig, which take long to start."""
    rigs = dict[str, int]()
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        used = fixtures & {"platform", "seen"}
        group = used.pop() if used else str(item.path.relative_to(TESTS))
        if "_rig" in fixtures:
            # With one rig for all, these tests would take longer than all the others together: files take turns.
            group = f"rig {rigs.setdefault(group, len(rigs)) % RIGS}"
        item.add_marker(pytest.mark.xdist_group(group))
