"""Products with their variants, media and metafields.

Pages of many products are the cheap way, but hold only the first of everything. What they cut short is read again
by id, whole: up to 250 variants, media and metafields in one answer, so that such a product is of one moment; what
is larger is drained by cursor while the product's `updatedAt` stands still. Media and metafields of variants cost
little by id and much inside a page, so they are fetched for a page's variants together, and a product that moved in
between is read again whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from salesbot_pipelines.shopify.nodes import line_of
from salesbot_pipelines.shopify.queries import load_for
from salesbot_pipelines.shopify.reading.connections import exact, flatten, flatten_metafields
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.holes import SectionUnread, mark_holes, mark_incomplete
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.pages import Node, by_ids, walk
from salesbot_pipelines.shopify.reading.told import Told, told_of
from salesbot_pipelines.shopify.reading.whole_product import Gone, WholeProduct

ENTITY = "products"
_IN_A_PAGE = {"variantsFirst": 50, "mediaFirst": 10, "metafieldsFirst": 20}
_OF_A_VARIANT = {"variantMediaFirst": 5, "variantMetafieldsFirst": 20}
_VARIANTS_AT_ONCE = 1000  # of the products that are read whole in one answer


class ProductReader:
    """Reads all products of a shop, or those with given ids."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._client = reading.client
        self._namespaces = len(reading.namespaces)
        self._aliases = [f"metafields{number}" for number in range(self._namespaces)]
        self._pages = load_for("products", reading.namespaces)
        self._extras = load_for("variant_extras", reading.namespaces)
        self._whole = WholeProduct(reading.client, reading.namespaces, reading.holes)

    def read(self) -> None:
        """Write every product of the shop."""
        reading = self._reading
        for page, fresh in walk(self._client, self._pages, ENTITY, reading.seen[ENTITY], _IN_A_PAGE):
            reading.duplicates[ENTITY] += len(page.nodes) - len(fresh)
            mark_holes(page.answer, (ENTITY, "nodes"), page.nodes, reading.holes, ENTITY)
            self._take(fresh)
            reading.step(ENTITY)

    def read_ids(self, gids: Sequence[str]) -> None:
        """Write the products with these ids; one that is gone is left out."""
        for gid, product in self.whole([(gid, 1) for gid in gids]):
            if product is not None and self._reading.seen[ENTITY].add(number_of(gid)):
                self.write(product)

    def _take(self, nodes: list[Node]) -> None:
        cut: list[tuple[str, int]] = []
        plain: list[Node] = []
        for node in nodes:
            if _is_cut(node, self._namespaces):
                cut.append((node["id"], exact(node.get("variantsCount")) or len(node["variants"])))
            else:
                plain.append(node)
        moved = self._add_extras(plain)
        for node in plain:
            if node["id"] in moved:
                cut.append((node["id"], len(node["variants"])))
            else:
                self.write(node)
        for gid, product in self.whole(cut):
            if product is None:
                self._reading.seen[ENTITY].discard(number_of(gid))
            else:
                self.write(product)

    def whole(self, wanted: Iterable[tuple[str, int]]) -> Iterator[tuple[str, Node | None]]:
        """Give products read by id, None for one that is gone; each is wanted with about how many variants it has."""
        for batch in _batches(wanted):
            for gid, node in self._whole.first_pages(batch):
                try:
                    yield gid, None if node is None else self._whole.complete(node)
                except Gone:
                    yield gid, None

    def _add_extras(self, products: list[Node]) -> set[str]:
        """Put media and metafields on the variants; return the products that changed since their page was read."""
        of_variant = {variant["id"]: product for product in products for variant in product["variants"]}
        variants = {variant["id"]: variant for product in products for variant in product["variants"]}
        moved: set[str] = set()
        gids = list(variants)
        try:
            for answer, nodes in by_ids(self._client, self._extras, gids, _OF_A_VARIANT):
                mark_holes(answer, ("nodes",), nodes, self._reading.holes, "products.variants")
                chunk, gids = gids[: len(nodes)], gids[len(nodes) :]
                for gid, node in zip(chunk, nodes, strict=True):
                    product = of_variant[gid]
                    if node is None or (node.get("product") or {}).get("updatedAt") != product["updatedAt"]:
                        moved.add(product["id"])
                    elif product["id"] not in moved:
                        self._join(variants[gid], node, product)
        except SectionUnread as unread:
            self._reading.holes.add_problem("products.variants.metafields", unread.problem)
            for gid in gids:
                variants[gid].update(media=[], metafields=[])
                mark_incomplete(variants[gid], "media", "metafields")
        return moved

    def _join(self, variant: Node, extras: Node, product: Node) -> None:
        variant["media"] = extras.get("media")
        for alias in self._aliases:
            variant[alias] = extras.get(alias)
        if "incomplete" in extras:
            mark_incomplete(variant, *extras["incomplete"])
        self._whole.finish_variant(variant, product)

    def write(self, product: Node) -> None:
        """Write a product and note what others will be compared with."""
        self.write_lines([finished(product)])

    def write_lines(self, products: Sequence[tuple[bytes, Told]]) -> None:
        """Write products that are lines already."""
        reading = self._reading
        for _, told in products:
            reading.variants += told.variants
            reading.variants_proved &= told.proved
            reading.items.new(told.items)
        reading.sink.write_lines(ENTITY, [line for line, _ in products])


def finished(product: Node) -> tuple[bytes, Told]:
    """Return a whole product's line, and what it tells of itself."""
    product.pop("__typename", None)
    return line_of(product), told_of(product)


def _is_cut(node: Node, namespaces: int) -> bool:
    """Make plain lists of the connections; say whether one goes on, or the variants are not as many as counted."""
    cursors = [flatten(node, "variants"), flatten(node, "media")]
    more = flatten_metafields(node, namespaces)
    counted = exact(node.get("variantsCount"))
    is_short = (
        counted is not None and counted != len(node["variants"]) and "variants" not in node.get("incomplete", ())
    )
    return bool(more) or any(cursor is not None for cursor in cursors) or is_short


def _batches(wanted: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    """Cut ids into lists whose products together have a bounded number of variants."""
    batch: list[str] = []
    weight = 0
    for gid, variants in wanted:
        if batch and (weight + min(variants, 250) > _VARIANTS_AT_ONCE or len(batch) >= 100):
            yield batch
            batch, weight = [], 0
        batch.append(gid)
        weight += min(variants, 250)
    if batch:
        yield batch
