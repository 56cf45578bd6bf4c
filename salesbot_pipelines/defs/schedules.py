"""The daily refresh of every connected shop, and the hourly look at the fleet."""

from collections.abc import Iterator

import dagster as dg

from salesbot_pipelines.defs.assets import SCHEDULED_AT
from salesbot_pipelines.defs.checks import fleet_job
from salesbot_pipelines.defs.jobs import catalog_job
from salesbot_pipelines.defs.partitions import shops

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def daily_refresh(cron: str, batch_size: int) -> dg.ScheduleDefinition:
    """Build the schedule: batches of shops in the order in which they were connected, a run each."""

    @dg.schedule(
        name="daily_refresh",
        job=catalog_job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Refresh every connected shop, {batch_size} shops a run.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        keys = context.instance.get_dynamic_partitions(shops.name or "shops")
        moment = context.scheduled_execution_time
        if not keys:
            yield dg.SkipReason("no shop is connected yet")
        for start in range(0, len(keys), batch_size):
            batch = keys[start : start + batch_size]
            yield dg.RunRequest(
                run_key=f"{moment:%Y-%m-%dT%H:%M}/{start}",
                tags={
                    RANGE_START: batch[0],
                    RANGE_END: batch[-1],
                    # A run that is started again after a kill leaves out the shops that are done.
                    SCHEDULED_AT: moment.isoformat(),
                },
            )

    return schedule


@dg.schedule(
    job=fleet_job,
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Look at all shops: ages, omissions, failures; one table and its checks.",
)
def hourly_fleet() -> dg.RunRequest:
    """Ask for the fleet's table."""
    return dg.RunRequest()
