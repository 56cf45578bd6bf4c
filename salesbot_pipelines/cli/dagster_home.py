"""The demo's own Dagster instance: quiet, prompt, on SQLite."""

from __future__ import annotations

from pathlib import Path

_INSTANCE = """\
# Written by salesbot; deploy/dagster.yaml is the one for production.
telemetry:
  enabled: false
nux:
  enabled: false
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
    (folder / "dagster.yaml").write_text(_INSTANCE)
    return folder


def write_workspace(folder: Path, port: int) -> Path:
    """Write the workspace that names the one code server; webserver and daemon share it."""
    path = folder / "workspace.yaml"
    path.write_text(
        "load_from:\n"
        f"  - grpc_server:\n      host: 127.0.0.1\n      port: {port}\n      location_name: salesbot_pipelines\n"
    )
    return path
