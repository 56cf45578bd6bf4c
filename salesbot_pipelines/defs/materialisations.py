"""What an analyst sees of a shop's refresh: materialisations with counts, changes and links; never a secret."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any

import dagster as dg

from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines.spaces.keys import ShopKeys

_MOST_NAMED = 20
_LOG_LINES, _LOG_SECONDS = 10, 5.0


def _columns(*rows: tuple[str, str, str]) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[dg.TableColumn(name, type_, description=description) for name, type_, description in rows]
    )


PRODUCT_COLUMNS = _columns(
    ("id", "gid", "Shopify's global id, the key"),
    ("title", "string", "as the shopper sees it"),
    ("status", "string", "active, draft, archived, unlisted"),
    ("url", "uri", "the product's page"),
    ("price_range", "object", "least and greatest price over the variants"),
    ("availability", "object", "can it be bought, and in which state is the stock"),
    ("variants", "array", "price, list price, options, SKU and stock of each"),
    ("collection_ids", "array of gid", "collections that hold it"),
    ("content_hash", "sha256", "changes when anything but a time changes"),
)
DISCOUNT_COLUMNS = _columns(
    ("id", "gid", "Shopify's global id, the key"),
    ("method", "string", "code or automatic"),
    ("title", "string", "shown to customers"),
    ("effect", "object", "percentage, fixed_amount, free_shipping, buy_x_get_y or app"),
    ("items", "object", "what it applies to"),
    ("minimum", "object", "least subtotal or quantity"),
    ("codes", "array", "only codes that any shopper may know"),
    ("starts_at", "timestamp", "first moment"),
    ("ends_at", "timestamp", "last moment; null is an open end"),
)
COLLECTION_COLUMNS = _columns(
    ("id", "gid", "Shopify's global id, the key"),
    ("title", "string", "as the shopper sees it"),
    ("type", "string", "manual or smart"),
    ("product_ids", "array of gid", "published products in the shop's order"),
    ("products_count", "integer", "Shopify's own count"),
)


def materialisations(outcome: Outcome, selected: Collection[str]) -> Iterator[dg.AssetMaterialization]:
    """Record one good shop in each selected asset; nothing for a shop that failed.

    An unchanged shop is recorded too: without an event a backfill counts it as failed.
    """
    if not outcome.ok or outcome.status is Status.SKIPPED:
        return
    for name, facts in _facts_by_asset(outcome).items():
        if name in selected:
            yield dg.AssetMaterialization(
                name,
                partition=outcome.shop,
                metadata=facts,
                tags={"dagster/data_version": outcome.revision} if outcome.revision else None,
            )


def _facts_by_asset(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Give each asset's metadata; the UI shows the first five entries where it shows few."""
    counts = outcome.counts
    changes = outcome.changes
    keys = ShopKeys(outcome.owner, outcome.shop)
    common: dict[str, Any] = {}
    if outcome.fetched_at is not None:
        common["fetched_at"] = dg.MetadataValue.timestamp(outcome.fetched_at)
    common |= {"status": outcome.status.value, "trigger": outcome.trigger}
    raw: dict[str, Any] = {
        **({"method": outcome.method} if outcome.method else {}),
        "calls": outcome.calls.calls,
        "points": round(outcome.calls.points),
        "throttled": outcome.calls.throttled,
        "waited_seconds": round(outcome.calls.waited_seconds, 1),
        **common,
    }
    held = {"products": counts.get("products", 0), "variants": counts.get("variants", 0)}
    products: dict[str, Any] = dict(held)
    if changes is not None:
        products |= {"changed": changes.changed, "added": changes.added, "removed": changes.removed}
        products["what changed"] = dg.MetadataValue.md(changes_table(outcome))
    elif outcome.status is Status.UNCHANGED:
        products |= {"changed": 0, "added": 0, "removed": 0}
    products["dagster/partition_row_count"] = counts.get("products", 0)
    products["uri"] = _uri(outcome, keys.products)
    if outcome.drift is not None:
        # Changes that no event told of: what the webhooks missed since the last refresh.
        products["drift"] = outcome.drift
    if outcome.full_because:
        raw["full_because"] = outcome.full_because
    if outcome.adopted:
        raw["adopted"] = outcome.adopted
    if outcome.subscriptions:
        raw["subscriptions"] = outcome.subscriptions
    document: dict[str, Any] = {
        **held,
        "bytes": outcome.document_bytes,
        "omissions": len(outcome.omissions),
        **common,
        "revision": outcome.revision,
        "feed_uri": outcome.document_uri,
        "manifest_uri": _uri(outcome, keys.manifest),
        **{f"{phase}_seconds": round(seconds, 2) for phase, seconds in outcome.seconds.items()},
    }
    if outcome.omissions:
        document["what is missing"] = dg.MetadataValue.md(omissions_table(outcome))
    return {
        "raw_catalog": raw,
        "products": {**products, **common},
        "discounts": {
            "discounts": counts.get("discounts", 0),
            "dagster/partition_row_count": counts.get("discounts", 0),
            "uri": _uri(outcome, keys.discounts),
            **common,
        },
        "collections": {
            "collections": counts.get("collections", 0),
            "dagster/partition_row_count": counts.get("collections", 0),
            "uri": _uri(outcome, keys.collections),
            **common,
        },
        "shopify_data": document,
    }


def _uri(outcome: Outcome, key: str) -> str:
    """Name another object of the shop: all lie in the store where the document lies."""
    return outcome.document_uri.removesuffix(ShopKeys(outcome.owner, outcome.shop).document) + key


def changes_table(outcome: Outcome) -> str:
    """Give a Markdown table of the products that were added, changed or removed."""
    changes = outcome.changes
    if changes is None or not changes.samples:
        return "nothing changed"
    rows = [f"| {sample.kind} | {_cell(sample.title)} | {sample.legacy_id} |" for sample in changes.samples]
    total = changes.added + changes.changed + changes.removed
    if total > len(rows):
        rows.append(f"| | and {total - len(rows)} more | |")
    return "\n".join(["| change | product | id |", "|---|---|---|", *rows])


def omissions_table(outcome: Outcome) -> str:
    """Give a Markdown table of what the document says it lacks."""
    shown = outcome.omissions[:_MOST_NAMED]
    rows = [f"| {_cell(o.section)} | {_cell(o.reason)} | {_cell(o.detail or '')} |" for o in shown]
    if len(outcome.omissions) > len(shown):
        rows.append(f"| | | and {len(outcome.omissions) - len(shown)} more |")
    return "\n".join(["| section | reason | detail |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    # A merchant's title must not break the table or become markup.
    plain = " ".join(text.split())[:120]
    for mark in ("\\", "|", "`", "*", "_", "<", "[", "]"):
        plain = plain.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return plain


class Report:
    """Logs how far a run is, with a line for each shop, and at its end names the bad shops in one `Failure`.

    Dagster stores each message as an event of its own, at several milliseconds of processor time. So the good shops'
    lines go together, some at a time, under the batch's progress; a failure is logged at once.
    """

    def __init__(self, log: dg.DagsterLogManager, *, total: int) -> None:
        self._log = log
        self._total = total
        self._done = 0
        self._lines: list[str] = []
        self._logged_at = time.monotonic()
        self._failures: dict[str, str] = {}

    def progress(self, shop: str, stage: str, done: int, total: int | None) -> None:
        """Log how far a long read is; called at most every few seconds for a shop."""
        self._log.info(f"[{shop}] {stage}: {done:,}{f' of {total:,}' if total else ''}")

    def note(self, outcome: Outcome) -> None:
        """Take one shop's end."""
        self._done += 1
        if outcome.error is not None:
            text = outcome.error.public_text
            # Most texts name their shop; one of the database does not.
            self._failures[outcome.shop] = text if outcome.shop in text else f"{outcome.shop}: {text}"
            self._log.error(f"[{outcome.shop}] failed: {text}")
        else:
            counts = ", ".join(f"{value:,} {name}" for name, value in outcome.counts.items())
            text = f"[{outcome.shop}] {outcome.status.value}: {counts or 'nothing to do'}"
            read = ", read incrementally" if outcome.method == "incremental" else ""
            self._lines.append(f"{text} in {outcome.total_seconds:.1f} s{read}")
        is_time = time.monotonic() - self._logged_at >= _LOG_SECONDS
        if is_time or len(self._lines) >= _LOG_LINES or self._done == self._total:
            self._log_progress()

    def _log_progress(self) -> None:
        head = f"{self._done} of {self._total} shops done"
        if self._failures:
            head += f", {len(self._failures)} failed"
        self._log.info("\n".join([head, *self._lines]))
        self._lines.clear()
        self._logged_at = time.monotonic()

    def close(self) -> None:
        """Fail the run when a shop failed, naming each with its reason.

        Raises `Failure` without op retries: repeating the op would repeat every shop; each bad shop has its
        own back-off in the state database.
        """
        if self._total == 0:
            raise dg.Failure("the run was given no shop: is the range's start after its end?", allow_retries=False)
        if self._failures:
            named = "\n".join(self._failures[shop] for shop in sorted(self._failures))
            raise dg.Failure(
                f"{len(self._failures)} of {self._total} shops failed:\n{named}",
                metadata={"failed shops": dg.MetadataValue.md(_failures_table(self._failures))},
                allow_retries=False,
            )


def _failures_table(failures: dict[str, str]) -> str:
    rows = [f"| {shop} | {_cell(text)} |" for shop, text in sorted(failures.items())]
    return "\n".join(["| shop | reason |", "|---|---|", *rows])
