"""The five assets of a shop's catalogue, refreshed in batches of shops.

One run takes many shops, because a Dagster run costs about two CPU seconds and a shop in a batch a tenth of
one; the unit of failure is still the shop. Each good shop is recorded by materialisations of its own, at the
end one `Failure` names the bad ones. `Output` and `MaterializeResult` are never used: they would stamp every
shop of the range, the bad ones included. A test pins this behaviour, for no written guarantee stands behind it.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from salesbot_pipelines.defs.materialisations import (
    COLLECTION_COLUMNS,
    DISCOUNT_COLUMNS,
    PRODUCT_COLUMNS,
    Report,
    materialisations,
)
from salesbot_pipelines.defs.partitions import shops
from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.program import Program

GROUP = "catalog"
OWNERS = ["team:salesbot"]

SCHEDULED_AT = "salesbot/scheduled_at"
"""The tag that carries a scheduled run's moment: when it is started again, it leaves out what is newer."""


def _spec(
    name: str, deps: list[str], kinds: set[str], description: str, columns: dg.TableSchema | None = None
) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=deps,
        skippable=True,
        group_name=GROUP,
        owners=OWNERS,
        kinds=kinds,
        code_version="1",
        description=description,
        metadata={"dagster/column_schema": columns} if columns else {},
    )


SPECS = [
    _spec(
        "raw_catalog",
        [],
        {"shopify", "gzip"},
        "What Shopify's Admin API said about the shop, node by node, as `raw/<entity>.jsonl.gz`. "
        "Everything below can be made again from it without a call.",
    ),
    _spec(
        "products",
        ["raw_catalog"],
        {"json"},
        "The shop's sellable products with variants, prices and stock; one a line in `products.jsonl`.",
        PRODUCT_COLUMNS,
    ),
    _spec(
        "discounts",
        ["raw_catalog"],
        {"json"},
        "Every discount, code and automatic, with its effect, conditions and dates; codes only where any shopper "
        "may know them. One a line in `discounts.jsonl`.",
        DISCOUNT_COLUMNS,
    ),
    _spec(
        "collections",
        ["raw_catalog"],
        {"json"},
        "The shop's collections with their products in shop order; one a line in `collections.jsonl`.",
        COLLECTION_COLUMNS,
    ),
    _spec(
        "shopify_data",
        ["products", "discounts", "collections"],
        {"json", "s3"},
        "The one document that SalesBot reads, `shopify_data.json` (contract v1), and its manifest. Published only "
        "when it is complete or says what is missing; otherwise the last good document stays.",
    ),
]
ASSET_NAMES = tuple(spec.key.to_user_string() for spec in SPECS)


def catalog_assets(shops_per_run: int) -> dg.AssetsDefinition:
    """Build the five assets; an analyst's backfill is cut into runs of so many shops."""

    @dg.multi_asset(
        name="refresh_shops",
        specs=SPECS,
        partitions_def=shops,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=shops_per_run),
        can_subset=True,
    )
    def refresh_shops(
        context: dg.AssetExecutionContext, program: dg.ResourceParam[Program]
    ) -> Iterator[dg.AssetMaterialization]:
        """Refresh each shop of the run: lease, fetch, normalise, judge, publish.

        Without `raw_catalog` among the selected assets the rest is made again from the stored raw objects.
        """
        selected = {key.to_user_string() for key in context.selected_asset_keys}
        batch = Batch(
            shops=tuple(context.partition_keys),
            trigger=_trigger(context.run.tags),
            run_id=context.run.run_id,
            from_raw="raw_catalog" not in selected,
            not_before=context.run.tags.get(SCHEDULED_AT),
        )
        report = Report(context.log, total=len(batch.shops))
        for outcome in program.refresh_batch(batch, progress=report.progress):
            report.note(outcome)
            yield from materialisations(outcome, selected)
        report.close()

    return refresh_shops


def _trigger(tags: Mapping[str, str]) -> str:
    """Say what asked for the run, in the contract's words."""
    if "dagster/schedule_name" in tags or SCHEDULED_AT in tags:
        return "schedule"
    return "backfill" if "dagster/backfill" in tags else "manual"
