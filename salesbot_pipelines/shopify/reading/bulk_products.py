"""Products out of bulk results, made into exactly what pages give.

Three kinds of results are joined: the products with variants, media and metafields; the media of variants, which
are one connection too many for the first; and the metafields of each further namespace. The lines are trusted
neither in order nor in number: children find their parent by id, whatever Shopify counts is compared, and a product
about which there is a doubt is read again by id. When that shows that the file had lost something which the count
of lines did not tell, the whole result is given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.bulk import BulkResult
from salesbot_pipelines.shopify.queries import bulk_text
from salesbot_pipelines.shopify.reading.bulk_lines import (
    PROVED_CHILDREN,
    Line,
    Node,
    Order,
    decode_lines,
    read_lines,
)
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.products import ProductReader
from salesbot_pipelines.shopify.reading.scatter import Scatter, parts_for

ENTITY = "products"
_SOURCES = _MAIN, _MEDIA, _MORE = "products", "media", "more"


def product_texts(namespaces: tuple[str, ...]) -> dict[str, str]:
    """Return the operations that all products take, by name."""
    texts = {
        "products": bulk_text("bulk_products", namespaces[0] if namespaces else None),
        "variant_media": bulk_text("bulk_variant_media"),
    }
    return texts | {f"metafields_{n}": bulk_text("bulk_metafields", ns) for n, ns in enumerate(namespaces[1:], 1)}


class _Spread:
    """The lines of all results, by product; children of variants by variant, until it is known whose they are."""

    def __init__(self, folder: Path, parts: int) -> None:
        self.parts = parts
        self.near = {source: Scatter(folder, f"near-{source}", parts) for source in _SOURCES}
        self.far = {source: Scatter(folder, f"far-{source}", parts) for source in _SOURCES}
        self.owners = Scatter(folder, "owners", parts)

    def put(self, source: str, line: Line) -> None:
        """Put a line where its product or variant will be looked for."""
        number, kind, parent, parent_kind, raw = line
        if kind == "Product":
            self.near[source].put(number, raw)
        elif parent_kind == "Product":
            if kind != "ProductVariant" or source == _MAIN:
                self.near[source].put(parent, raw)
            if kind == "ProductVariant" and source == _MAIN:
                self.owners.put(number, b"%d %d\n" % (number, parent))
        else:
            variant = number if kind == "ProductVariant" else parent
            self.far[source].put(variant, b"%d %s" % (variant, raw))

    def join_far(self) -> None:
        """Move what belongs to variants to their products."""
        for part in range(self.parts):
            owners = {int(variant): int(product) for variant, product in map(bytes.split, self.owners.take(part))}
            for source in _SOURCES:
                near = self.near[source]
                for line in self.far[source].take(part):
                    number, _, raw = line.partition(b" ")
                    product = owners.get(int(number))
                    if product is not None:  # else a variant made after the products were listed
                        near.put(product, raw)

    def take(self, part: int, shop: str) -> dict[str, list[Node]]:
        """Return the nodes of some products, by where they came from."""
        return {source: decode_lines(self.near[source].take(part), shop) for source in _SOURCES}


class BulkProducts:
    """Joins the results of `product_texts` and writes the products."""

    def __init__(self, reading: Reading, reader: ProductReader, folder: Path) -> None:
        self._reading = reading
        self._reader = reader
        self._folder = folder
        self._shop = reading.client.shop
        self._namespaces = len(reading.namespaces)
        self._ordered = True

    def read(self, results: Mapping[str, BulkResult]) -> None:
        """Write every product; raise `BulkFailed` when the results turn out not to be whole."""
        spread = _Spread(self._folder, parts_for(sum(result.path.stat().st_size for result in results.values())))
        for name, result in results.items():
            source = {"products": _MAIN, "variant_media": _MEDIA}.get(name, _MORE)
            order = Order()
            for line in read_lines(result.path, result.lines, self._shop):
                if source == _MAIN:
                    order.note(line)
                spread.put(source, line)
            self._ordered &= order.kept
            result.path.unlink()
        spread.join_far()
        for part in range(spread.parts):
            self._write_part(spread.take(part, self._shop))
            self._reading.step(ENTITY)

    def _write_part(self, lines: dict[str, list[Node]]) -> None:
        """Join the lines of some products and write them; those in doubt are read by id."""
        part = _Part(lines, further=max(0, self._namespaces - 1))
        fresh = {gid: node for gid, node in part.products.items() if self._reading.seen[ENTITY].add(number_of(gid))}
        doubts = {gid for gid in fresh if part.doubtful(gid, ordered=self._ordered)}
        probe = max(fresh, key=part.uncounted, default=None)
        if probe is not None and part.uncounted(probe) > 1:
            doubts.add(probe)  # what has most of what nobody counts shows whether it was cut
        for gid, node in fresh.items():
            if gid not in doubts:
                self._reader.write(part.finished(node))
        for gid, whole in self._reader.whole([(gid, len(fresh[gid]["variants"])) for gid in doubts]):
            if whole is None:
                self._reading.seen[ENTITY].discard(number_of(gid))
                continue
            self._prove(part.finished(fresh[gid]), whole)
            self._reader.write(whole)

    def _prove(self, joined: Node, whole: Node) -> None:
        """Raise `BulkFailed` when the file gave too few children of an unchanged product, below the known limit."""
        if joined["updatedAt"] != whole["updatedAt"]:
            return
        pairs = [(joined, whole), *zip(joined["variants"], whole["variants"], strict=False)]
        for mine, true in pairs:
            for name in ("variants", "media", "metafields"):
                got, there = len(mine.get(name, ())), len(true.get(name, ()))
                if got < there and got < PROVED_CHILDREN:
                    raise BulkFailed(
                        f"{self._shop}: the result has {got} of {there} {name} of one product", shop=self._shop
                    )


class _Part:
    """Some products with everything that belongs to them."""

    def __init__(self, lines: dict[str, list[Node]], *, further: int) -> None:
        self.products: dict[str, Node] = {}
        self._variants: dict[str, Node] = {}
        self._moments: dict[str, set[str]] = {}
        self._media_read: set[str] = set()
        self._further = further
        self._told: dict[str, int] = {}
        by_kind: dict[str, list[Node]] = {"Product": [], "ProductVariant": []}
        children: list[Node] = []
        for node in lines[_MAIN]:
            by_kind.get(node["__typename"], children).append(node)
        for node in by_kind["Product"]:
            node.update(variants=[], media=[], metafields=[])
            self.products[node["id"]] = node
        for node in by_kind["ProductVariant"]:
            self._add_variant(node)
        self._add_children(children)
        self._add_media(lines[_MEDIA])
        self._add_more(lines[_MORE])

    def _add_variant(self, node: Node) -> None:
        product = self.products.get(node.pop("__parentId"))
        if product is not None:
            node.update(media=[], metafields=[])
            self._variants[node["id"]] = node
            product["variants"].append(node)

    def _add_children(self, nodes: list[Node]) -> None:
        products, variants = self.products, self._variants
        for node in nodes:
            parent = node.pop("__parentId", "")
            owner = products.get(parent) or variants.get(parent)
            if owner is None:
                continue
            if node["__typename"] == "Metafield":
                del node["__typename"]
                owner["metafields"].append(node)
            else:
                owner["media"].append(node)

    def _add_media(self, nodes: list[Node]) -> None:
        children = []
        for node in nodes:
            if node["__typename"] == "ProductVariant":
                self._media_read.add(node["id"])
                product = node.get("product") or {}
                self._moment(product.get("id", ""), product)
            else:
                children.append(node)
        self._add_children(children)

    def _add_more(self, nodes: list[Node]) -> None:
        children = []
        for node in nodes:
            if node["__typename"] == "Product":
                self._told[node["id"]] = self._told.get(node["id"], 0) + 1
                self._moment(node["id"], node)
            else:
                children.append(node)
        self._add_children(children)

    def _moment(self, gid: str, node: Node) -> None:
        self._moments.setdefault(gid, set()).add(str(node.get("updatedAt")))

    def doubtful(self, gid: str, *, ordered: bool) -> bool:
        """Say whether a product must be read again to be sure of it."""
        node = self.products[gid]
        variants = node["variants"]
        moved = self._moments.get(gid, set()) - {node["updatedAt"]}
        unread = any(variant["id"] not in self._media_read for variant in variants)
        short = _differs(node.get("variantsCount"), variants) or _differs(node.get("mediaCount"), node["media"])
        several = max([len(node["media"]), *(len(variant["media"]) for variant in variants)]) > 1
        return (
            bool(moved)
            or unread
            or short
            or self._told.get(gid, 0) != self._further
            or self.uncounted(gid) >= PROVED_CHILDREN
            or (several and not ordered)
        )

    def uncounted(self, gid: str) -> int:
        """Return the most children any connection of the product has that Shopify gives no count of."""
        node = self.products[gid]
        lists = [node["metafields"], *(v[name] for v in node["variants"] for name in ("media", "metafields"))]
        return max(len(found) for found in lists)

    def finished(self, node: Node) -> Node:
        """Return the product as a page would give it: variants by position, their media whole."""
        node["variants"].sort(key=lambda variant: variant.get("position") or 0)
        known = {media["id"]: media for media in node["media"]}
        for variant in node["variants"]:
            variant.pop("__typename", None)
            variant["media"] = [known.get(media["id"], {"id": media["id"]}) for media in variant["media"]]
        node.pop("__typename", None)
        return node


def _differs(count: object, found: list[Node]) -> bool:
    counted = exact(count)
    return counted is not None and counted != len(found)
