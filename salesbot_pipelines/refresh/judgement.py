"""Is the catalogue fit to be published? The evidence is gathered here, the rules are `catalog.problems`'."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.catalog.normalise import is_sellable
from salesbot_pipelines.catalog.problems import SECTIONS, Problem, Reading, Rules, problems
from salesbot_pipelines.errors import CatalogRefused
from salesbot_pipelines.refresh.assembly import Assembled
from salesbot_pipelines.refresh.published import PublishedProduct
from salesbot_pipelines.refresh.sortedlines import holds
from salesbot_pipelines.shopify.snapshot import Snapshot

_ASKED_AT_ONCE = 2500

StillThere = Callable[[Sequence[str]], Mapping[str, Mapping[str, Any] | None]]
"""Asks Shopify for products by id; None for one that is gone."""


def judge_reading(
    shop: str,
    snapshot: Snapshot,
    assembled: Assembled,
    *,
    rules: Rules,
    statuses: Collection[str],
    counts_before: Mapping[str, int] | None,
    before: Callable[[], Iterator[PublishedProduct]],
    still_there: StillThere,
) -> None:
    """Judge a catalogue that was read from Shopify.

    Products of the last document that are missing in large number are asked for by id: deletions are proved, not
    believed. Raises `CatalogRefused` with every problem.
    """
    lost, had = _lost(assembled, (counts_before or {}).get("products", 0), before, rules)
    checked, for_sale = _asked(lost, still_there, statuses)
    _refuse(
        shop,
        Reading(
            shop_asked=shop,
            shop_answered=assembled.shop.domain,
            currency=assembled.shop.currency,
            counts_read={"shop": 1, **snapshot.counts_read},
            counts_published=assembled.counts,
            counts_start=snapshot.counts_start,
            counts_end=snapshot.counts_end,
            counts_before=None if counts_before is None else {**counts_before, "products": had},
            omissions=assembled.source.omissions,
            duplicates=snapshot.duplicates,
            lost_ids=len(lost),
            lost_ids_checked=checked,
            lost_ids_still_there=for_sale,
            unusable_products=assembled.unusable_products,
        ),
        rules,
    )


def judge_again(shop: str, assembled: Assembled, omissions: Sequence[Omission], *, rules: Rules) -> None:
    """Judge a catalogue that was normalised again from stored raw objects, which were complete when they were stored.

    Raises `CatalogRefused` with every problem.
    """
    read: dict[str, int] = dict.fromkeys(SECTIONS, 0)
    read["products"] = assembled.read_products
    reading = Reading(
        shop_asked=shop,
        shop_answered=assembled.shop.domain,
        currency=assembled.shop.currency,
        counts_read=read,
        counts_published=assembled.counts,
        omissions=omissions,
        unusable_products=assembled.unusable_products,
    )
    _refuse(shop, reading, rules)


def _lost(
    assembled: Assembled, had: int, before: Callable[[], Iterator[PublishedProduct]], rules: Rules
) -> tuple[array[int], int]:
    """Give the numbers of the products that were published last and are missing here, and how many there were.

    `had` is the manifest's number. The published list has another one when a run was killed while it published
    what had been judged fit: then the list counts. None where the list cannot be read: what nobody can ask for is
    not proved gone.
    """
    # Less can be missing than this only if as much is new; the published list is not read for less.
    if had == 0 or (had - assembled.counts["products"]) * 100 <= had * min(rules.max_loss_percent, 5):
        return array("Q"), had
    lost = array("Q")
    listed = 0
    try:
        for product in before():
            listed += 1
            number = int(product.legacy_id)
            if not holds(assembled.product_ids, number):
                lost.append(number)
    except (msgspec.DecodeError, ValueError, OverflowError):
        return array("Q"), had
    return lost, listed or had


def _asked(lost: array[int], still_there: StillThere, statuses: Collection[str]) -> tuple[int, list[str]]:
    """Ask for the lost products, some at a time; give how many answers came, and the gids of those still for sale."""
    checked = 0
    for_sale: list[str] = []
    for start in range(0, len(lost), _ASKED_AT_ONCE):
        answers = still_there([f"gid://shopify/Product/{number}" for number in lost[start : start + _ASKED_AT_ONCE]])
        checked += len(answers)
        for_sale += [gid for gid, node in answers.items() if node and is_sellable(node, statuses)]
    return checked, for_sale


def _refuse(shop: str, reading: Reading, rules: Rules) -> None:
    found: list[Problem] = problems(reading, rules)
    if found:
        named = "; ".join(problem.text for problem in found)
        raise CatalogRefused(
            f"{shop}: not published: {named}",
            problems=[problem.code for problem in found],
            retryable=all(problem.retryable for problem in found),
        )
