"""What every test can ask for; each fixture file starts one part of the sandbox."""

pytest_plugins = [
    "tests.fixtures.auth",
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
    "tests.fixtures.vendors",
    "tests.fixtures.server",
    "tests.fixtures.platform",
    "tests.fixtures.tally",
]
