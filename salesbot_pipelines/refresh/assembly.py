"""From raw objects to the files that are published, one object at a time.

Products, collections and discounts become sorted line files, and those become the document. Nothing here holds
a catalogue in memory: some numbers a product, one object, and a temporary file for what is looked up.

A raw file is a log: a later line of the same id wins, and a line with `"dropped": true` takes the object away.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from salesbot_pipelines.catalog.hashing import canonical_json
from salesbot_pipelines.catalog.model import (
    SCHEMA_VERSION,
    Discount,
    Generator,
    Location,
    Omission,
    Shop,
    Source,
)
from salesbot_pipelines.catalog.model import (
    Collection as PublishedCollection,
)
from salesbot_pipelines.catalog.normalise import (
    Findings,
    ShopContext,
    Unusable,
    normalise_collection,
    normalise_discount,
    normalise_location,
    normalise_shop,
)
from salesbot_pipelines.errors import CatalogRefused
from salesbot_pipelines.refresh.document import Parts, write_document
from salesbot_pipelines.refresh.levels import write_levels
from salesbot_pipelines.refresh.manifest import timestamp
from salesbot_pipelines.refresh.members import MembersWriter
from salesbot_pipelines.refresh.newfile import MadeFile
from salesbot_pipelines.refresh.normalising import Task, batches, normalise_batch
from salesbot_pipelines.refresh.rawfiles import RawFile, read_lines, read_nodes
from salesbot_pipelines.refresh.sortedlines import SortedLines, holds
from salesbot_pipelines.shopify.goods import MANY_PRODUCTS
from salesbot_pipelines.shopify.nodes import gid_number, node_of
from salesbot_pipelines.workers.sharing import Share

Progress = Callable[[str, int, int | None], None]
T = TypeVar("T")

_REPORT_EVERY = 250


@dataclass(frozen=True)
class Reading:
    """What is known of the read that made the raw objects."""

    api_version: str
    fetched_at: datetime
    method: Literal["paged", "bulk"]
    omissions: tuple[Omission, ...]
    namespaces: tuple[str, ...] | None = None
    """Those of the metafields; None where nobody knows any more."""
    read_by: str | None = None
    """The version of this program that read it; None where nobody knows any more."""


@dataclass(frozen=True)
class Assembled:
    """Everything a refresh wants to publish, on disk, with the numbers that are judged."""

    schema_version: str
    revision: str
    shop: Shop
    source: Source
    counts: dict[str, int]
    products: MadeFile
    discounts: MadeFile
    collections: MadeFile
    document: MadeFile
    product_ids: array[int]
    read_products: int
    unusable_products: int
    """How many raw products could not be published at all."""
    findings: tuple[Omission, ...]


class Assembly:
    """Makes the files of one shop in one folder; used once and closed."""

    def __init__(self, folder: Path, *, statuses: Collection[str], progress: Progress, share: Share = map) -> None:
        self._folder = folder
        self._statuses = frozenset(statuses)
        self._progress = progress
        self._share = share
        self._findings = Findings()
        self._unusable_products = 0
        self._dropped: set[str] = set()

    def make(
        self,
        raw: Mapping[str, RawFile],
        reading: Reading,
        *,
        trigger: str,
        generator: Generator,
        generated_at: datetime,
    ) -> Assembled:
        """Normalise everything and write the files.

        Raises `CatalogRefused` when the shop itself was not read: without its currency no price has a meaning.
        """
        shop = self._shop(raw["shop"])
        locations = self._locations(raw["locations"])
        context = _context_of(shop, locations)
        products, product_ids, variants = self._products(raw["products"], self._task(raw, reading, context))
        context = replace(context, is_published=lambda gid: holds(product_ids, gid_number(gid)))
        collections = self._lines(raw["collections"], "collections", lambda node: self._collection(node, context))
        discounts = self._lines(raw["discounts"], "discounts", lambda node: self._discount(node, context))
        counts = {
            "collections": collections[1],
            "discounts": discounts[1],
            "locations": len(locations),
            "products": len(product_ids),
            "variants": variants,
        }
        findings = tuple(found for found in self._findings.omissions() if not self._is_dropped(found.section))
        source = _source_of(reading, findings, counts, trigger)
        parts = Parts(
            collections=collections[0].path,
            discounts=discounts[0].path,
            products=products.path,
            locations=locations,
            shop=shop,
            generator=generator,
            generated_at=timestamp(generated_at),
        )
        document, revision = write_document(
            self._folder / "shopify_data.json",
            parts,
            source,
            lambda: self._progress("write", 0, None),
            self._share_for(raw["products"]),
        )
        return Assembled(
            schema_version=SCHEMA_VERSION,
            revision=revision,
            shop=shop,
            source=source,
            counts=counts,
            products=products,
            discounts=discounts[0],
            collections=collections[0],
            document=document,
            product_ids=product_ids,
            read_products=raw["products"].lines,
            unusable_products=self._unusable_products,
            findings=findings,
        )

    def _task(self, raw: Mapping[str, RawFile], reading: Reading, context: ShopContext) -> Task:
        return Task(
            levels=self._levels(raw["inventory"]),
            members=self._members(raw["collections"]),
            context=context,
            statuses=self._statuses,
            stock_was_read=not any(omission.section == "inventory" for omission in reading.omissions),
        )

    def _shop(self, file: RawFile) -> Shop:
        node = next(read_nodes(file.path), None)
        if node is None:
            raise CatalogRefused("the shop itself was not read", retryable=True)
        try:
            return normalise_shop(node)
        except Unusable as unusable:
            raise CatalogRefused(f"the shop cannot be published: {unusable.detail}") from unusable

    def _locations(self, file: RawFile) -> list[Location]:
        latest: dict[int, Location | None] = {}
        for node in read_nodes(file.path):
            made = None if self._drops(node, "locations") else self._usable(partial(normalise_location, node))
            latest[gid_number(node["id"])] = made
        return [location for number in sorted(latest) if (location := latest[number]) is not None]

    def _levels(self, file: RawFile) -> Path:
        path = self._folder / "levels"
        write_levels(path, self._counted_lines("inventory", file))
        return path

    def _members(self, file: RawFile) -> Path:
        path = self._folder / "members.sqlite"
        with closing(MembersWriter(path)) as members:
            for node in self._counted("collections", file):
                members.put(node["id"], () if node.get("dropped") else node.get("product_ids") or ())
        return path

    def _products(self, file: RawFile, task: Task) -> tuple[MadeFile, array[int], int]:
        lines = SortedLines(self._folder / "products.jsonl")
        share, raw = self._share_for(file), batches(self._counted_lines("normalise", file))
        try:
            for made in share(partial(normalise_batch, task), raw):
                for number, line, variants in zip(made.numbers, made.lines, made.variants, strict=True):
                    lines.add(number, line, weight=variants)
                self._dropped.update(f"/products/{number}" for number in made.dropped)
                self._unusable_products += made.unusable
                self._findings.extend(made.findings)
            written, ids = lines.finish()
        finally:
            lines.close()
        return written, ids, lines.weight

    def _share_for(self, products: RawFile) -> Share:
        return self._share if products.lines >= MANY_PRODUCTS else map

    def _collection(self, node: dict[str, Any], context: ShopContext) -> PublishedCollection | None:
        return self._usable(lambda: normalise_collection(node, context, self._findings))

    def _discount(self, node: dict[str, Any], context: ShopContext) -> Discount | None:
        return self._usable(lambda: normalise_discount(node, context, self._findings))

    def _lines(
        self, file: RawFile, name: str, make: Callable[[dict[str, Any]], msgspec.Struct | None]
    ) -> tuple[MadeFile, int]:
        lines = SortedLines(self._folder / f"{name}.jsonl")
        try:
            for node in self._counted(name, file):
                made = None if self._drops(node, name) else make(node)
                lines.add(gid_number(node["id"]), b"" if made is None else canonical_json(made))
            written, ids = lines.finish()
        finally:
            lines.close()
        return written, len(ids)

    def _drops(self, node: dict[str, Any], section: str) -> bool:
        """Is this the line that takes an object away? What was found in it before is then no lack."""
        dropped = bool(node.get("dropped"))
        if dropped:
            self._dropped.add(f"/{section}/{gid_number(node['id'])}")
        return dropped

    def _is_dropped(self, pointer: str) -> bool:
        return bool(self._dropped) and "/".join(pointer.split("/", 3)[:3]) in self._dropped

    def _usable(self, make: Callable[[], T]) -> T | None:
        """Make a published object, or name the one that cannot be: it is missing with a word, not without."""
        try:
            return make()
        except Unusable as unusable:
            self._findings.add(unusable.pointer, "error", unusable.detail)
            return None

    def _counted(self, stage: str, file: RawFile) -> Iterator[dict[str, Any]]:
        return map(node_of, self._counted_lines(stage, file))

    def _counted_lines(self, stage: str, file: RawFile) -> Iterator[bytes]:
        for done, line in enumerate(read_lines(file.path)):
            if done % _REPORT_EVERY == 0:
                self._progress(stage, done, file.lines)
            yield line


def _context_of(shop: Shop, locations: Sequence[Location]) -> ShopContext:
    """Give what the normalisers must know of the shop, before it is known which products are published."""
    return ShopContext(
        currency=shop.currency,
        url=shop.url,
        domain=shop.domain,
        location_names={location.id: location.name for location in locations},
        is_published=_is_anything,
    )


def _source_of(reading: Reading, findings: Sequence[Omission], counts: dict[str, int], trigger: str) -> Source:
    """Say where the catalogue comes from, and what it lacks."""
    omissions = [*reading.omissions, *findings]
    return Source(
        api_version=reading.api_version,
        complete=not omissions,
        counts=counts,
        fetched_at=timestamp(reading.fetched_at),
        method=reading.method,
        omissions=omissions,
        platform="shopify",
        trigger=trigger,
    )


def _is_anything(_gid: str) -> bool:
    return True
