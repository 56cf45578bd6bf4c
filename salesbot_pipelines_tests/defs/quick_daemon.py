"""Dagster's daemon, the real one, that looks at backfills every three seconds instead of every half minute."""

from __future__ import annotations

from dagster._daemon import controller
from dagster._daemon.cli import main

if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 3
    main()
