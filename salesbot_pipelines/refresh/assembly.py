"""From raw objects to the files that are published, one object at a time.

Products, collections and discounts become sorted line files, and those become the document. Nothing here holds
a catalogue in memory: some numbers a product, one object, and a temporary file for what is looked up.

A raw file is a log: a later line of the same id wins, and a line with `"dropped": true` takes the object away.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from salesbot_pipelines.catalog.hashing import canonical_json, seal_product
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
    is_sellable,
    normalise_collection,
    normalise_discount,
    normalise_location,
    normalise_product,
    normalise_shop,
)
from salesbot_pipelines.errors import CatalogRefused
from salesbot_pipelines.refresh.document import MadeFile, Parts, made_file, write_document
from salesbot_pipelines.refresh.joins import Joins, gid_number
from salesbot_pipelines.refresh.manifest import timestamp
from salesbot_pipelines.refresh.rawfiles import RawFile, node_of, read_lines, read_nodes
from salesbot_pipelines.refresh.sortedlines import SortedLines, holds

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

    def __init__(self, folder: Path, *, statuses: Collection[str], progress: Progress) -> None:
        self._folder = folder
        self._statuses = frozenset(statuses)
        self._progress = progress
        self._joins = Joins(folder / "joins.sqlite")
        self._findings = Findings()
        self._unusable: Counter[str] = Counter()
        self._stock_was_read = False
        self._dropped: set[str] = set()

    def close(self) -> None:
        """Let go of the temporary file."""
        self._joins.close()

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
        self._fill_joins(raw)
        self._stock_was_read = not any(omission.section == "inventory" for omission in reading.omissions)
        context = ShopContext(
            currency=shop.currency,
            url=shop.url,
            domain=shop.domain,
            location_names={location.id: location.name for location in locations},
            is_published=lambda _gid: True,
        )
        products, product_ids, variants = self._products(raw["products"], context)
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
        omissions = [*reading.omissions, *findings]
        source = Source(
            api_version=reading.api_version,
            complete=not omissions,
            counts=counts,
            fetched_at=timestamp(reading.fetched_at),
            method=reading.method,
            omissions=omissions,
            platform="shopify",
            trigger=trigger,
        )
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
            self._folder / "shopify_data.json", parts, source, lambda: self._progress("write", 0, None)
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
            unusable_products=self._unusable.get("products", 0),
            findings=findings,
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

    def _fill_joins(self, raw: Mapping[str, RawFile]) -> None:
        self._joins.add_levels(self._counted_lines("inventory", raw["inventory"]))
        for node in self._counted("collections", raw["collections"]):
            members = () if node.get("dropped") else node.get("product_ids") or ()
            self._joins.put_members(node["id"], members)

    def _products(self, file: RawFile, context: ShopContext) -> tuple[MadeFile, array[int], int]:
        lines = SortedLines(self._folder / "products.jsonl")
        try:
            for node in self._counted("normalise", file):
                number = gid_number(node["id"])
                line, variants = b"", 0
                if not self._drops(node, "products") and is_sellable(node, self._statuses):
                    line, variants = self._product(node, number, context)
                lines.add(number, line, weight=variants)
            ids = lines.finish()
        finally:
            lines.close()
        return made_file(lines.path), ids, lines.weight

    def _product(self, node: dict[str, Any], number: int, context: ShopContext) -> tuple[bytes, int]:
        product = self._usable(
            lambda: normalise_product(
                node,
                context,
                levels=lambda item: self._levels(number, item),
                collection_ids=self._joins.collection_ids(number),
                findings=self._findings,
            )
        )
        return (b"", 0) if product is None else (seal_product(product), len(product.variants))

    def _levels(self, product: int, item: str) -> dict[str, Any] | None:
        """Give the stock of an item; one that was deleted between its product's page and its own is named."""
        record = self._joins.levels(item)
        if record is None and self._stock_was_read:
            self._findings.add(f"/products/{product}/inventory", "error", f"{item} was gone when stock was read")
        return record

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
            ids = lines.finish()
        finally:
            lines.close()
        return made_file(lines.path), len(ids)

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
            self._unusable[unusable.pointer.strip("/").partition("/")[0]] += 1
            self._findings.add(unusable.pointer, "error", unusable.detail)
            return None

    def _counted(self, stage: str, file: RawFile) -> Iterator[dict[str, Any]]:
        return map(node_of, self._counted_lines(stage, file))

    def _counted_lines(self, stage: str, file: RawFile) -> Iterator[bytes]:
        for done, line in enumerate(read_lines(file.path)):
            if done % _REPORT_EVERY == 0:
                self._progress(stage, done, file.lines)
            yield line
