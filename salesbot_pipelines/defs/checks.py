"""`fleet`: all shops in one table, and the checks that name those in trouble.

It is an asset of its own in a job of its own: a check inside the batch of shops is skipped by Dagster, and a
check per partition is a preview that reads wrongly over many shops. Its axis is time, so its plots are trends.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from salesbot_pipelines.refresh.fleet import FRESH_HOURS, ShopRow
from salesbot_pipelines.refresh.program import Program

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 200
_MOST_NAMED = 50

CHECKS = {
    "fresh": f"every shop was read whole within {FRESH_HOURS} hours",
    "complete": "no document lacks a section",
    "none_parked": "no shop has been given up after too many failures",
    "none_needing_login": "no merchant must open the app again",
}


@dg.asset(
    name="fleet",
    group_name="fleet",
    owners=["team:salesbot"],
    kinds={"pandas", "table"},
    description="All connected shops: age, counts, omissions, failures. Made after each refresh and every hour.",
    check_specs=[dg.AssetCheckSpec(name, asset="fleet", description=text) for name, text in CHECKS.items()],
)
def fleet(
    context: dg.AssetExecutionContext, program: dg.ResourceParam[Program]
) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
    """Read every shop's state and manifest; show the table, its totals and the shops in trouble."""
    rows = program.fleet()
    table = fleet_table(rows)
    yield dg.Output(None, metadata=fleet_metadata(table))
    for name, bad in shops_in_trouble(rows).items():
        context.log.info(f"{name}: {len(bad)} of {len(rows)} shops in trouble")
        yield dg.AssetCheckResult(
            check_name=name,
            passed=not bad,
            severity=dg.AssetCheckSeverity.WARN if name == "complete" else dg.AssetCheckSeverity.ERROR,
            metadata={"shops": len(bad), "named": dg.MetadataValue.md(_listed(bad))},
        )


def _listed(bad: list[str]) -> str:
    lines = [f"- {text}" for text in bad[:_MOST_NAMED]]
    if len(bad) > _MOST_NAMED:
        lines.append(f"- and {len(bad) - _MOST_NAMED} more")
    return "\n".join(lines) or "none"


fleet_job = dg.define_asset_job(
    "look_at_fleet",
    selection=dg.AssetSelection.assets(fleet),
    executor_def=dg.in_process_executor,
    description="One table of all shops, and its checks.",
)


def fleet_table(rows: list[ShopRow]) -> "pd.DataFrame":
    """Give one row a shop, the oldest document first."""
    # Every run loads these definitions in a new process, and pandas takes a third of a second of it.
    import pandas as pd

    table = pd.DataFrame([row.shown() for row in rows], columns=ShopRow.COLUMNS)
    return table.sort_values(["hours", "shop"], ascending=[False, True], na_position="first").reset_index(drop=True)


def fleet_metadata(table: "pd.DataFrame") -> dict[str, Any]:
    """Give the totals, which Dagster plots over time, and the table itself."""
    hours = table["hours"].dropna()
    return {
        "shops": len(table),
        "published": int(table["published"].sum()),
        "products": int(table["products"].sum()),
        "variants": int(table["variants"].sum()),
        "oldest_hours": round(float(hours.max()), 2) if len(hours) else 0.0,
        "with_omissions": int((table["omissions"] > 0).sum()),
        "failing": int((table["attempts"] > 0).sum()),
        "parked": int(table["parked"].sum()),
        "needs_reauth": int((table["status"] == "needs_reauth").sum()),
        "megabytes": round(float(table["bytes"].sum()) / 1e6, 3),
        "table": dg.MetadataValue.md(
            table.head(_MOST_ROWS).to_markdown(index=False) if len(table) else "no shop yet"
        ),
    }


def shops_in_trouble(rows: list[ShopRow]) -> dict[str, list[str]]:
    """Give, for each check, the shops that fail it with the reason."""
    return {
        "fresh": [f"{row.shop}: {row.age_text}" for row in rows if not row.is_fresh],
        "complete": [f"{row.shop}: {row.omitted}" for row in rows if row.omissions],
        "none_parked": [f"{row.shop}: {row.last_error}" for row in rows if row.parked],
        "none_needing_login": [f"{row.shop}: {row.reauth_reason}" for row in rows if row.status == "needs_reauth"],
    }
