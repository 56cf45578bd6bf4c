"""What happens by itself between two schedules: events become refreshes, installs become partitions.

No sensor has a cursor. Dagster stores a cursor before the runs it stands for exist, and skips a run key whose
run failed; the state database says what is due, and a run that never started is asked for again.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from salesbot_pipelines.defs.checks import fleet_job
from salesbot_pipelines.defs.jobs import catalog_job, refresh_due, refresh_due_shops
from salesbot_pipelines.defs.partitions import shops
from salesbot_pipelines.refresh.program import Program

MOST_PER_TICK = 500
RESERVED_SECONDS = 60
"""How long a shop that was asked for is not asked for again; a run that never starts is replaced then."""

_BACKFILL_JOB = "__ASSET_JOB"
"""Dagster's own name for the job of an analyst's backfill."""

_NOT_BEGUN = [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING]
_BUSY = [*_NOT_BEGUN, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


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
    due = [one.shop for one in program.reserve_due(limit=MOST_PER_TICK, seconds=RESERVED_SECONDS)]
    if not due:
        return dg.SkipReason("no event waits")
    # A full queue outlives the reservation; asking again would fill it with the same shops.
    queued = _shops_of(context.instance.get_runs(dg.RunsFilter(job_name=refresh_due.name, statuses=_NOT_BEGUN)))
    asked = [shop for shop in due if shop not in queued]
    if not asked:
        return dg.SkipReason(f"the runs of {len(due)} due shops are queued already")
    size = program.settings.batch_size
    requests = [_due_request(asked[start : start + size]) for start in range(0, len(asked), size)]
    context.log.info(f"{len(asked)} shops are due: {len(requests)} runs asked for")
    return dg.SensorResult(run_requests=requests)


def _due_request(batch: Sequence[str]) -> dg.RunRequest:
    return dg.RunRequest(
        # Only so that a tick that Dagster resumes asks once; what is due says the database, not this key.
        run_key=uuid.uuid4().hex,
        run_config={"ops": {refresh_due_shops.name: {"config": {"shops": list(batch)}}}},
        # Ahead of a fleet-wide backfill in the queue: a shopper waits for the new price.
        tags={"dagster/priority": "10", "salesbot/shops": str(len(batch))},
    )


def _shops_of(runs: Iterable[dg.DagsterRun]) -> set[str]:
    """Give the shops that these runs of `refresh_due` were asked for."""
    configs: list[Any] = [run.run_config for run in runs]
    return {shop for config in configs for shop in config["ops"][refresh_due_shops.name]["config"]["shops"]}


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


def partition_changes(connected: Sequence[str], known: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the partitions to add, in the order of connecting, and those to remove."""
    is_known, is_connected = set(known), set(connected)
    return [s for s in connected if s not in is_known], [s for s in known if s not in is_connected]


@dg.sensor(
    job=fleet_job,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After a refresh of the catalogue, however many runs it took, look at the fleet once.",
)
def fleet_after_refresh(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for the fleet's table when the last run of a refresh has ended since the last look.

    A failed run counts too: that is when the table is wanted most. Runs that events began wait for the hourly look,
    except for the very first.
    """
    instance = context.instance
    refreshes = (catalog_job.name, _BACKFILL_JOB)
    if any(_exists(instance, name, _BUSY) for name in (*refreshes, fleet_job.name)):
        return dg.SkipReason("a refresh is in progress")
    looked = instance.get_run_records(dg.RunsFilter(job_name=fleet_job.name), limit=1)
    if not looked:
        if any(_exists(instance, name, _ENDED) for name in (*refreshes, refresh_due.name)):
            return dg.RunRequest()
        return dg.SkipReason("nothing has been refreshed yet")
    began = looked[0].create_timestamp
    for name in refreshes:
        since = dg.RunsFilter(job_name=name, statuses=_ENDED, updated_after=began)
        if instance.get_runs(since, limit=1):
            return dg.RunRequest()
    return dg.SkipReason("nothing was refreshed since the last look")


def _exists(instance: dg.DagsterInstance, job_name: str, statuses: Collection[DagsterRunStatus]) -> bool:
    return bool(instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=list(statuses)), limit=1))
