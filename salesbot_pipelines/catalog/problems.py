"""Is what was read fit to be published? Rules over numbers; the catalogue itself is not needed.

The promise: a document that is short, doubled, of another shop, or that lost a large share without proof is refused,
and each refusal names the numbers and what to do. What is missing and named in the omissions is no problem here: the
document says so itself. Fetching, and deciding what follows from a refusal, belong to `refresh`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from salesbot_pipelines.catalog.model import Omission

SECTIONS = ("collections", "discounts", "inventory", "locations", "products", "shop")
"""What every refresh reads, or names in its omissions."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """How much a catalogue may lose or leave out. Percentages are whole numbers."""

    max_loss_percent: int = 30
    min_loss: int = 3
    max_unusable_percent: int = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason not to publish; `retryable` when a second reading may not have it."""

    code: str
    text: str
    retryable: bool = False


@dataclass(frozen=True)
class Reading:
    """Everything the rules look at, of one reading of one shop.

    Counts are by section. `counts_read` has raw nodes, and a section that was not read has no key there.
    `counts_start` and `counts_end` are Shopify's own, None (or no key) where it gave no exact one. `counts_published`
    and `counts_before` are those of the new document and of the last one; `counts_before` is None for the first.
    `lost_ids` are the products of the last document that the new one lacks: `lost_ids_checked` of them were asked for
    by id, and `lost_ids_still_there` are the gids among those that could still be sold. `dangling` names references
    that point nowhere, `duplicates` the ids that came twice, per section.
    """

    shop_asked: str
    shop_answered: str | None
    currency: str | None
    counts_read: Mapping[str, int]
    counts_published: Mapping[str, int]
    counts_start: Mapping[str, int | None] = field(default_factory=dict)
    counts_end: Mapping[str, int | None] = field(default_factory=dict)
    counts_before: Mapping[str, int] | None = None
    omissions: Sequence[Omission] = ()
    duplicates: Mapping[str, int] = field(default_factory=dict)
    lost_ids: int = 0
    lost_ids_checked: int = 0
    lost_ids_still_there: Sequence[str] = ()
    dangling: Sequence[str] = ()
    unusable_products: int = 0

    @property
    def products_before(self) -> int:
        """Products in the last document; none before the first."""
        return (self.counts_before or {}).get("products", 0)

    @property
    def products_lost(self) -> int:
        """Products of the last document that the new one lacks; at least as many as it is shorter."""
        return max(self.lost_ids, self.products_before - self.counts_published.get("products", 0))

    @property
    def is_loss_proved(self) -> bool:
        """Whether every lost product was asked for by id, and none could still be sold."""
        return self.lost_ids_checked >= self.products_lost and not self.lost_ids_still_there


def problems(reading: Reading, rules: Rules) -> list[Problem]:
    """Return every reason why this reading must not be published; empty when it may."""
    return [
        *_other_shop(reading),
        *_currency_missing(reading),
        *_section_missing(reading),
        *_count_mismatch(reading),
        *_duplicates(reading),
        *_no_products(reading),
        *_loss(reading, rules),
        *_dangling(reading),
        *_unusable(reading, rules),
    ]


def _other_shop(reading: Reading) -> Iterator[Problem]:
    if reading.shop_answered != reading.shop_asked:
        yield Problem(
            "other_shop",
            f"{reading.shop_asked} was asked and {reading.shop_answered or 'no shop'} answered: "
            "connect the shop again with its own token",
        )


def _currency_missing(reading: Reading) -> Iterator[Problem]:
    if not reading.currency:
        yield Problem(
            "currency_missing", "the shop's currency is unknown, so no price can be told: refresh again", True
        )


def _section_missing(reading: Reading) -> Iterator[Problem]:
    for section in SECTIONS:
        if section not in reading.counts_read and not _is_named(reading, section):
            yield Problem(
                "section_missing", f"{section} were neither read nor named in the omissions: refresh again", True
            )


def _count_mismatch(reading: Reading) -> Iterator[Problem]:
    for section, read in sorted(reading.counts_read.items()):
        counts = [
            count
            for count in (reading.counts_start.get(section), reading.counts_end.get(section))
            if count is not None
        ]
        # Anything between the two counts is right: the shop was edited while it was read.
        if not counts or (read <= max(counts) and (min(counts) <= read or _is_named(reading, section))):
            continue
        counted = " to ".join(str(count) for count in sorted(set(counts)))
        yield Problem(
            "count_mismatch",
            f"{read} {section} were read and Shopify counts {counted}: "
            "refresh again; if it stays, look for a page or a bulk file that broke off",
            True,
        )


def _is_named(reading: Reading, section: str) -> bool:
    """Say whether the omissions name a section, as `variants`, `products.variants` or `/products/<id>/variants`."""
    for omission in reading.omissions:
        path = omission.section.strip("/").replace(".", "/")
        if path == section:
            return True
        if section == "variants" and path.startswith("products/") and path.endswith(("/variants", "/*")):
            return True
    return False


def _duplicates(reading: Reading) -> Iterator[Problem]:
    for section, count in sorted(reading.duplicates.items()):
        if count > 0:
            yield Problem(
                "duplicates",
                f"{count} {section} came more than once, so the pages shifted while they were read: refresh again",
                True,
            )


def _no_products(reading: Reading) -> Iterator[Problem]:
    before = reading.products_before
    if before == 0 or reading.counts_published.get("products", 0) > 0 or reading.is_loss_proved:
        return
    counted = reading.counts_end.get("products")
    if counted != 0:
        yield Problem(
            "no_products",
            f"no product is left of the {before} in the last document, while Shopify counts "
            f"{'an unknown number' if counted is None else counted}: check that the app may still read products and "
            "that the shop still publishes them, then refresh again",
            True,
        )


def _loss(reading: Reading, rules: Rules) -> Iterator[Problem]:
    before, lost = reading.products_before, reading.products_lost
    if lost < rules.min_loss or lost * 100 <= before * rules.max_loss_percent or reading.is_loss_proved:
        return
    still_there = len(reading.lost_ids_still_there)
    proof = (
        f"{still_there} of them are still for sale ({_some(reading.lost_ids_still_there)})"
        if still_there
        else f"only {reading.lost_ids_checked} of them were asked for by id"
    )
    yield Problem(
        "loss",
        f"{lost} of the {before} products in the last document are missing, over {rules.max_loss_percent} %, and "
        f"{proof}: refresh again; if it is meant, raise SALESBOT_MAX_LOSS_PERCENT for one refresh",
        True,
    )


def _dangling(reading: Reading) -> Iterator[Problem]:
    if reading.dangling:
        yield Problem(
            "dangling_references",
            f"{len(reading.dangling)} references point nowhere ({_some(reading.dangling)}): refresh again",
            True,
        )


def _unusable(reading: Reading, rules: Rules) -> Iterator[Problem]:
    unusable, read = reading.unusable_products, reading.counts_read.get("products", 0)
    if unusable * 100 > read * rules.max_unusable_percent:
        yield Problem(
            "unusable_products",
            f"{unusable} of {read} products cannot be published, more than {rules.max_unusable_percent} %: "
            "see the omissions for the reasons, and mend them in the shop or in this program",
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown}, ..." if len(names) > _SHOWN else shown
