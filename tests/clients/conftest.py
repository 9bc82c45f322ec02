"""These tests run by `make clients` alone, since they need what only that installs."""

import os

collect_ignore_glob = [] if os.environ.get("AICHAT_CLIENTS") == "all" else ["*"]
