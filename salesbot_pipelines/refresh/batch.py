"""Many shops in one run: several at once, each in its own failure box.

A shop that fails, waits for its bucket, hangs or is held by another run holds up nobody; the outcomes come in the
order in which the shops end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Literal

from salesbot_pipelines.errors import SalesbotError
from salesbot_pipelines.refresh.outcome import Outcome, Status
from salesbot_pipelines.refresh.slots import BEGUN_PER_SLOT, SILENT_SECONDS, Slot, Slots
from salesbot_pipelines.shopify.snapshot import Method

_log = logging.getLogger(__name__)

ReadMethod = Method | Literal["incremental"]

ShopProgress = Callable[[str, str, int, int | None], None]
"""Called with shop, stage, how many are done, and of how many if that is known."""


class UnexpectedError(SalesbotError):
    """A bug of ours met in one shop's refresh; the text names its kind, the log holds the traceback."""

    advice = "this is a bug: the run's log holds the traceback"


@dataclass(frozen=True)
class Batch:
    """The shops of one run and why they are refreshed."""

    shops: tuple[str, ...]
    trigger: str
    run_id: str | None = None
    from_raw: bool = False
    """Normalise again from the stored raw objects; Shopify is not called."""
    not_before: str | None = None
    """ISO time: a shop whose last good refresh began after it is done already (a run that starts again)."""
    method: ReadMethod = "auto"
    """How the shop is read. `auto` lets the measured cost decide between pages and bulk operations, and reads only
    what changed where an event asked for it; `incremental` does that whenever it can be had."""
    full: bool = False
    """Publish even when nothing changed."""


def run_batch(
    batch: Batch,
    refresh: Callable[[str, Callable[[str, int, int | None], None], Slot], Outcome],
    *,
    at_once: int,
    progress: ShopProgress | None = None,
    report_seconds: float = 5.0,
    silent_seconds: float = SILENT_SECONDS,
) -> Iterator[Outcome]:
    """Refresh every shop of the batch, `at_once` at a time; one outcome a shop, its error inside.

    Shops that wait, or have given no sign for `silent_seconds`, are not counted in `at_once`. `progress` is called
    at most every `report_seconds` for a shop. When the caller stops taking outcomes, shops that have not begun do
    not begin, and running ones end at their next step without publishing.
    """
    slots = Slots(at_once, silent_seconds=silent_seconds)

    def one(shop: str) -> Outcome:
        with slots.slot() as slot:
            return in_slot(shop, slot)

    def in_slot(shop: str, slot: Slot) -> Outcome:
        if slot.is_set():
            return Outcome(shop=shop, status=Status.SKIPPED, trigger=batch.trigger)
        try:
            return refresh(shop, _seldom(shop, slot, progress, report_seconds), slot)
        except SalesbotError as error:
            return Outcome(shop=shop, status=Status.FAILED, trigger=batch.trigger, error=error)
        except Exception as bug:  # noqa: BLE001
            # One shop's bug is that shop's failure: it is logged whole, named in the outcome, and fails the run.
            _log.exception("[%s] unexpected %s", shop, type(bug).__name__)
            named = UnexpectedError(f"{shop}: unexpected {type(bug).__name__}")
            return Outcome(shop=shop, status=Status.FAILED, trigger=batch.trigger, error=named)

    begun = max(1, min(slots.count * BEGUN_PER_SLOT, len(batch.shops)))
    pool = ThreadPoolExecutor(max_workers=begun, thread_name_prefix="refresh")
    try:
        futures: list[Future[Outcome]] = [pool.submit(one, shop) for shop in batch.shops]
        for future in as_completed(futures):
            yield future.result()
    finally:
        slots.stop()
        pool.shutdown(wait=True, cancel_futures=True)


def _seldom(
    shop: str, slot: Slot, progress: ShopProgress | None, seconds: float
) -> Callable[[str, int, int | None], None]:
    last = time.monotonic()

    def report(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        slot.sign()
        if progress is not None and time.monotonic() - last >= seconds:
            last = time.monotonic()
            progress(shop, stage, done, total)

    return report
