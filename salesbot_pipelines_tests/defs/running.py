"""Dagster as it really runs: webserver, daemon and code server as the demo starts them, over a sandbox of ours."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from salesbot_pipelines.cli.dagster_home import start_dagster, write_dagster_home
from salesbot_pipelines.cli.processes import Children, free_port, python
from salesbot_pipelines.sandbox.world import World
from salesbot_pipelines_tests.rig import Rig, open_rig

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 180.0
_POLL_SECONDS = 0.5

Found = TypeVar("Found")

LAUNCH = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
BACKFILL = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
  status error { message }
  assetBackfillData { assetBackfillStatuses { ... on AssetPartitionsStatusCounts {
    assetKey { path } numPartitionsTargeted numPartitionsMaterialized numPartitionsFailed } } } } } }
"""
ASSETS = """
{ assetNodes { assetKey { path } isPartitioned assetPartitionStatuses { ... on DefaultPartitionStatuses {
  materializedPartitions failedPartitions unmaterializedPartitions } } } }
"""
RUNS = """
query($id: String!) { runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) { ... on Runs { results {
  runId status tags { key value } } } } }
"""
WHY = """
query($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  __typename ... on RunFailureEvent { error { message } } } } } }
"""


def ask(url: str, query: str, **variables: Any) -> dict[str, Any]:
    """Ask the webserver's GraphQL; an error in the answer is the test's failure."""
    answer = httpx.post(
        f"{url}/graphql", json={"query": query, "variables": variables}, trust_env=False, timeout=PATIENCE_SECONDS
    ).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def until(what: str, look: Callable[[], Found], *, seconds: float = PATIENCE_SECONDS) -> Found:
    """Look until there is something, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"after {seconds:.0f} s there is no {what}"
        time.sleep(_POLL_SECONDS)
    return found


@dataclass
class RunningDagster:
    """The running webserver, and the program and sandbox behind it."""

    url: str
    rig: Rig

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the webserver's GraphQL."""
        return ask(self.url, query, **variables)

    def partitions(self) -> dict[str, dict[str, set[str]]]:
        """Give, for each asset of a shop, which shops are materialized, failed and unmaterialized."""
        return {
            node["assetKey"]["path"][-1]: {
                kind.removesuffix("Partitions"): set(shops) for kind, shops in node["assetPartitionStatuses"].items()
            }
            for node in self.ask(ASSETS)["assetNodes"]
            if node["isPartitioned"]
        }

    def known(self) -> set[str]:
        """Give the shops that are partitions."""
        return set().union(*self.partitions()["raw_catalog"].values())

    def launch(self, shops: list[str], assets: tuple[str, ...]) -> str:
        """Launch a backfill as the UI does; give its id."""
        params = {"assetSelection": [{"path": [name]} for name in assets], "partitionNames": shops}
        launched = self.ask(LAUNCH, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]

    def ended(self, backfill: str) -> dict[str, Any]:
        """Wait until the backfill has ended; give it."""

        def look() -> dict[str, Any] | None:
            found = self.ask(BACKFILL, id=backfill)["partitionBackfillOrError"]
            return found if found["status"].startswith(("COMPLETED", "FAILED", "CANCELED")) else None

        return until(f"end of the backfill {backfill}", look, seconds=2 * PATIENCE_SECONDS)

    def runs(self, backfill: str) -> list[dict[str, Any]]:
        """Give the backfill's runs."""
        return self.ask(RUNS, id=backfill)["runsOrError"]["results"]

    def why(self, run: str) -> str:
        """Give the text of a failed run."""
        events = self.ask(WHY, run=run)["logsForRun"]["events"]
        return "\n".join(event["error"]["message"] for event in events if event.get("error"))


@contextmanager
def running_dagster(
    home: Path, world: World, *, prepare: Callable[[Rig], object], **environ: str
) -> Iterator[RunningDagster]:
    """Serve the world, open the program on it, prepare it, and start Dagster's three processes over it."""
    with open_rig(home, world) as rig:
        prepare(rig)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(write_dagster_home(home / "dagster")),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            **rig.environ,
            **environ,
        }
        ui, code = free_port(), free_port()
        with Children(home / "logs", variables) as children:
            daemon = python("salesbot_pipelines_tests.defs.quick_daemon")
            start_dagster(children, home / "dagster", ui=ui, code=code, daemon=daemon)
            yield RunningDagster(f"http://127.0.0.1:{ui}", rig)
