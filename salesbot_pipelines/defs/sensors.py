"""What happens by itself between two schedules: events become refreshes, installs become partitions.

Neither sensor has a cursor. Dagster stores a cursor before the runs it stands for exist, and skips a run key
whose run failed; the state database says what is due, and a run that never started is asked for again.
"""

import uuid
from collections.abc import Sequence

import dagster as dg
from dagster import DagsterRunStatus

from salesbot_pipelines.defs.assets import MAX_SHOPS_PER_RUN
from salesbot_pipelines.defs.checks import fleet_job
from salesbot_pipelines.defs.jobs import catalog_job, refresh_due
from salesbot_pipelines.defs.partitions import shops
from salesbot_pipelines.refresh.program import Program

MOST_PER_TICK = 500
RESERVED_SECONDS = 60
"""How long a shop that was asked for is not asked for again; a run that never starts is replaced then."""

_BUSY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


@dg.sensor(
    job=refresh_due,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ask for a refresh of each shop whose events wait; a burst becomes one refresh.",
)
def webhook_events(
    context: dg.SensorEvaluationContext, program: dg.ResourceParam[Program]
) -> dg.SensorResult | dg.SkipReason:
    """Select the due shops, fair by age, and ask for one run a batch."""
    due = program.reserve_due(limit=MOST_PER_TICK, seconds=RESERVED_SECONDS)
    if not due:
        return dg.SkipReason("no event waits")
    requests = []
    for start in range(0, len(due), MAX_SHOPS_PER_RUN):
        batch = due[start : start + MAX_SHOPS_PER_RUN]
        config = {"shops": [one.shop for one in batch]}
        requests.append(
            dg.RunRequest(
                # Only so that a tick that Dagster resumes asks once; what is due says the database, not this key.
                run_key=uuid.uuid4().hex,
                run_config={"ops": {"refresh_due_shops": {"config": config}}},
                # Ahead of a fleet-wide backfill in the queue: a shopper waits for the new price.
                tags={"dagster/priority": "10", "salesbot/shops": str(len(batch))},
            )
        )
    context.log.info(f"{len(due)} shops are due: {len(requests)} runs asked for")
    return dg.SensorResult(run_requests=requests)


@dg.sensor(
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job=fleet_job,
    description="Keep the partitions equal to the connected shops.",
)
def installed_shops(
    context: dg.SensorEvaluationContext, program: dg.ResourceParam[Program]
) -> dg.SensorResult | dg.SkipReason:
    """Add new shops at once; take away disconnected ones only while no run is queued or in progress.

    A range run whose first or last key is gone fails whole; so a key goes only when nothing can name it.
    """
    known = context.instance.get_dynamic_partitions(shops.name or "shops")
    added, removed = partition_changes(program.connected_shops(), known)
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if added:
        requests.append(shops.build_add_request(added))
    if removed and not context.instance.get_runs(dg.RunsFilter(statuses=_BUSY), limit=1):
        requests.append(shops.build_delete_request(removed))
    if not requests:
        return dg.SkipReason("the partitions are equal to the connected shops")
    context.log.info(f"shops connected: {added or 'none'}; disconnected: {removed or 'none'}")
    return dg.SensorResult(dynamic_partitions_requests=requests)


def partition_changes(connected: list[str], known: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the partitions to add, in the order of connecting, and those to remove."""
    return [s for s in connected if s not in set(known)], [s for s in known if s not in set(connected)]


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[catalog_job],
    request_job=fleet_job,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="After a refresh of the catalogue, look at the fleet.",
)
def fleet_after_refresh(context: dg.RunStatusSensorContext) -> dg.RunRequest:
    """Ask for the fleet's table once a run."""
    return dg.RunRequest(run_key=f"fleet/{context.dagster_run.run_id}")
