"""Dagster on this machine: its own instance, quiet, prompt and on SQLite, and its three processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from salesbot_pipelines.cli.processes import Children, python

_START_SECONDS = 180.0
_MAKE_STORAGE = "import sys, dagster; dagster.DagsterInstance.from_config(sys.argv[1]).dispose()"
_DAEMON = tuple(python("dagster._daemon"))

_INSTANCE = """\
# Written by salesbot; deploy/dagster.yaml is the one for production.
telemetry:
  enabled: false
nux:
  enabled: false
# Dagster's own opens its files anew for every event: two thirds of what Dagster costs a fleet here.
event_log_storage:
  module: salesbot_pipelines.defs.event_log
  class: PooledEventLogStorage
  config:
    base_dir: {events}
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
    max_concurrent_runs: 2
run_monitoring:
  enabled: true
  poll_interval_seconds: 30
  start_timeout_seconds: 120
  max_runtime_seconds: 7200
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false
retention:
  schedule:
    purge_after_days: 7
  sensor:
    purge_after_days:
      skipped: 1
      failure: 7
      success: 7
"""


def write_dagster_home(folder: Path) -> Path:
    """Make the folder with its instance file; give its absolute path."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Where Dagster's own would lie; a path in quotes of JSON is one of YAML.
    (folder / "dagster.yaml").write_text(_INSTANCE.format(events=json.dumps(str(folder / "history" / "runs"))))
    return folder


def write_workspace(folder: Path, port: int) -> Path:
    """Write the workspace that names the one code server; webserver and daemon share it."""
    path = folder / "workspace.yaml"
    path.write_text(
        "load_from:\n"
        f"  - grpc_server:\n      host: 127.0.0.1\n      port: {port}\n      location_name: salesbot_pipelines\n"
    )
    return path


def start_dagster(children: Children, home: Path, *, ui: int, code: int, daemon: Sequence[str] = _DAEMON) -> None:
    """Start code server, daemon and webserver on these ports, and wait until the webserver answers.

    They are started one by one because `dagster dev` heeds no signal for half a minute. `home` is the folder of
    `write_dagster_home`, which the children have as DAGSTER_HOME.
    """
    # On a new instance each of the three would create the same tables, and all but one would end on that.
    children.run("storage", [sys.executable, "-c", _MAKE_STORAGE, str(home)])
    module = ("-m", "salesbot_pipelines.definitions", "-h", "127.0.0.1", "-p", str(code))
    children.start("code", python("dagster", "api", "grpc", *module))
    # A webserver that is up before it shows a page that says the code cannot be loaded.
    children.wait_for_port("code", code, seconds=_START_SECONDS)
    workspace = str(write_workspace(home, code))
    children.start("daemon", [*daemon, "run", "-w", workspace])
    children.start("webserver", python("dagster_webserver", "-h", "127.0.0.1", "-p", str(ui), "-w", workspace))
    children.wait_for("webserver", f"http://127.0.0.1:{ui}/server_info", seconds=_START_SECONDS)
