"""Two jobs: every shop's catalogue by partition, and the shops that events have made due."""

from collections.abc import Iterator

import dagster as dg

from salesbot_pipelines.defs.assets import ASSET_NAMES
from salesbot_pipelines.defs.materialisations import Report, materialisations
from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.program import Program

catalog_job = dg.define_asset_job(
    "refresh_catalog",
    selection=dg.AssetSelection.assets(*ASSET_NAMES),
    executor_def=dg.in_process_executor,
    description="Refresh the catalogue of the chosen shops: all five assets.",
)


class DueShops(dg.Config):
    """The shops of one run; the sensor fills it in."""

    shops: list[str]


@dg.op(description="Refresh the shops whose events wait, and record them in the same five assets.")
def refresh_due_shops(
    context: dg.OpExecutionContext, config: DueShops, program: dg.ResourceParam[Program]
) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
    """Refresh each due shop; its inbox is done only when a refresh that began after the event has published."""
    batch = Batch(shops=tuple(config.shops), trigger="webhook", run_id=context.run.run_id)
    report = Report(context.log, total=len(batch.shops))
    for outcome in program.refresh_batch(batch, progress=report.progress):
        report.note(outcome)
        yield from materialisations(outcome, ASSET_NAMES)
    report.close()
    yield dg.Output(None)


@dg.job(
    executor_def=dg.in_process_executor,
    description="Refresh the shops that webhooks have marked; asked for by the sensor `webhook_events`.",
)
def refresh_due() -> None:
    """One op: a batch of due shops."""
    refresh_due_shops()
