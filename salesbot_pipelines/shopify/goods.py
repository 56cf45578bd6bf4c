"""Products, stock, long collections: by pages, or by bulk operations that this reading or a killed one began.

Operations of an earlier reading give the shop of an earlier moment, and are held against the shop of now: products
made since are read, those gone since are dropped. When such results turn out not to be whole, the operations are
begun anew, once; what cannot be had by bulk at all is read page by page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from operator import call
from pathlib import Path
from tempfile import TemporaryDirectory

from salesbot_pipelines.errors import BulkFailed, ShopifyUnavailable
from salesbot_pipelines.shopify.bulk import BulkOperations, BulkResult, Patience
from salesbot_pipelines.shopify.bulk_memory import History, RememberedOperation, cancel_remembered
from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.bulk_inventory import ENTITY as STOCK
from salesbot_pipelines.shopify.reading.bulk_inventory import BulkInventory, inventory_texts
from salesbot_pipelines.shopify.reading.bulk_members import ENTITY as MEMBERS
from salesbot_pipelines.shopify.reading.bulk_members import BulkMembers, members_text
from salesbot_pipelines.shopify.reading.bulk_products import BulkProducts, product_texts
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.ids import Numbers, number_of
from salesbot_pipelines.shopify.reading.inventory import InventoryReader
from salesbot_pipelines.shopify.reading.pages import by_ids, walk
from salesbot_pipelines.shopify.reading.products import ProductReader
from salesbot_pipelines.shopify.reading.scatter import parts_for
from salesbot_pipelines.shopify.reading.sections import may_read, read_section
from salesbot_pipelines.shopify.reading.settle import PRODUCTS, settle
from salesbot_pipelines.workers.sharing import warm

_log = logging.getLogger(__name__)

_PATIENCE_WITH_MEMBERS = Patience(busy_seconds=60.0, run_seconds=900.0)
"""Seconds after which draining the lists by cursor is the better way."""

MANY_PRODUCTS = 3_000
"""Products from which on a second process is worth its start."""


@dataclass(frozen=True)
class Goods:
    """How they were read: why bulk was given up, if it was, and the earlier operations whose results were used."""

    failure: str | None = None
    adopted: Mapping[str, RememberedOperation] = field(default_factory=dict)


def read_goods(
    reading: Reading, by_bulk: bool, patience: Patience | None, scratch: Path | None, history: History | None
) -> Goods:
    """Read products and stock; what is remembered of earlier operations is adopted, or cancelled."""
    goods = _read_by_bulk(reading, patience, scratch, history) if by_bulk else Goods()
    if by_bulk and goods.failure is None:
        return goods
    if history is not None:
        cancel_remembered(reading.client, history.memory)
    products = ProductReader(reading)
    _read_products(reading, products, products.read)
    if may_read(reading, "inventory", "read_inventory"):
        read_section(reading, "inventory", InventoryReader(reading).read)
    return goods


def _read_by_bulk(
    reading: Reading, patience: Patience | None, scratch: Path | None, history: History | None
) -> Goods:
    """Read them by bulk; when that cannot be had, nothing of them is left in the reading."""
    with TemporaryDirectory(prefix="salesbot-bulk-", dir=scratch) as name:
        operations = BulkOperations(reading.client, Path(name), patience, history)
        try:
            _read_results(reading, operations, Path(name))
        except BulkFailed as error:
            failure = str(error)
            reading.forget("products", "inventory")
        else:
            return Goods(adopted=dict(operations.adopted))
    if history is not None and operations.adopted:
        return _read_by_bulk(reading, patience, scratch, replace(history, adopt=False))
    return Goods(failure)


def _read_results(reading: Reading, operations: BulkOperations, folder: Path) -> None:
    """Read products and stock out of bulk results; raise `BulkFailed` when that cannot be had."""
    texts = product_texts(reading.namespaces)
    with_stock = may_read(reading, "inventory", "read_inventory")
    if with_stock:
        texts |= inventory_texts()
    if (reading.totals.get(PRODUCTS.entity) or MANY_PRODUCTS) >= MANY_PRODUCTS:
        warm(reading.share)
    results = operations.run(texts, reading.bulk_step)
    of_products = {name: result for name, result in results.items() if name != STOCK}
    reader = ProductReader(reading)
    products = BulkProducts(reading, reader, folder, of_products)
    stock = BulkInventory(reading, InventoryReader(reading), folder, results[STOCK]) if with_stock else None
    ordered = _spread(reading, results, products.spreading() | (stock.spreading() if stock else {}))

    def read() -> None:
        products.read(ordered=ordered[PRODUCTS.entity])
        if operations.adopted.keys() & of_products.keys():
            _catch_up(reading, reader)

    _read_products(reading, reader, read)
    reading.by_bulk = True
    if stock is not None:
        read_section(reading, STOCK, partial(stock.read, ordered=ordered[STOCK]))


def _spread(
    reading: Reading, results: Mapping[str, BulkResult], jobs: Mapping[str, Callable[[], bool]]
) -> dict[str, bool]:
    """Spread all results over parts; say of each whether its lines stood in order."""
    in_parts = parts_for(sum(result.path.stat().st_size for result in results.values())) > 1
    share = reading.share if in_parts else map
    ordered = {}
    for name, kept in zip(jobs, share(call, jobs.values()), strict=True):
        ordered[name] = kept
        results[name].path.unlink()
    return ordered


def _catch_up(reading: Reading, products: ProductReader) -> None:
    """Make an earlier listing have the products of now; raise `BulkFailed` when its variants cannot be proved.

    Counts of now say nothing of it: as many may have come as have gone, and Shopify's number of variants is
    another one by now, so that only each product's own count is left.
    """
    client, seen, there = reading.client, reading.seen[PRODUCTS.entity], Numbers()
    if not reading.variants_proved:
        raise BulkFailed(f"{client.shop}: an earlier result cannot be counted any more", shop=client.shop)
    for _, fresh in walk(client, load(PRODUCTS.ids_query), PRODUCTS.root, there):
        products.read_ids([node["id"] for node in fresh if number_of(node["id"]) not in seen])
        reading.step(PRODUCTS.entity)
    gids = [f"gid://shopify/Product/{number}" for number in seen if number not in there]
    found = (node for _, nodes in by_ids(client, load("still_there"), gids) for node in nodes)
    for gid, node in zip(gids, found, strict=True):
        if node is None:  # an absence in a list is no proof
            reading.dropped[PRODUCTS.entity].add(number_of(gid))


def _read_products(reading: Reading, products: ProductReader, read: Callable[[], None]) -> None:
    if not read_section(reading, "products", read, lambda: settle(reading, PRODUCTS, products)):
        # Without products there is no catalogue to publish, whatever the reason.
        raise ShopifyUnavailable(f"{reading.client.shop} does not list its products", shop=reading.client.shop)


def read_members(reading: Reading, scratch: Path | None, *, longer_than: int) -> BulkMembers:
    """Ask for the members of all collections at once; none are known where that cannot be had."""
    shop = reading.client.shop
    with TemporaryDirectory(prefix="salesbot-bulk-", dir=scratch) as name:
        try:
            operations = BulkOperations(reading.client, Path(name), _PATIENCE_WITH_MEMBERS)
            results = operations.run(members_text(), reading.bulk_step)
            return BulkMembers(results[MEMBERS], shop, longer_than=longer_than)
        except BulkFailed as error:
            _log.info("[%s] long collections are read page by page: %s", shop, error)
            return BulkMembers()
