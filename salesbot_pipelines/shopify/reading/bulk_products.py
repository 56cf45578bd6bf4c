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
    decode_line,
    read_lines,
)
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.products import ProductReader
from salesbot_pipelines.shopify.reading.scatter import Scatter, parts_for

ENTITY = "products"
_MAIN, _MEDIA, _MORE = b"P", b"V", b"N"


def product_texts(namespaces: tuple[str, ...]) -> dict[str, str]:
    """Return the operations that all products take, by name."""
    texts = {
        "products": bulk_text("bulk_products", namespaces[0] if namespaces else None),
        "variant_media": bulk_text("bulk_variant_media"),
    }
    return texts | {f"metafields_{n}": bulk_text("bulk_metafields", ns) for n, ns in enumerate(namespaces[1:], 1)}


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
        parts = parts_for(sum(result.path.stat().st_size for result in results.values()))
        near = Scatter(self._folder, "near", parts)  # by product
        far = Scatter(self._folder, "far", parts)  # by variant, until its product is known
        owners = Scatter(self._folder, "owners", parts)
        self._spread(results, near, far, owners)
        for part in range(parts):
            products = {int(variant): int(product) for variant, product in map(bytes.split, owners.take(part))}
            for line in far.take(part):
                number, _, rest = line.partition(b" ")
                product = products.get(int(number))
                if product is not None:  # else a variant made after the products were listed
                    near.put(product, rest)
        for part in range(parts):
            self._write_part([(line[:1], decode_line(line[1:], self._shop)) for line in near.take(part)])
            self._reading.step(ENTITY)

    def _spread(self, results: Mapping[str, BulkResult], near: Scatter, far: Scatter, owners: Scatter) -> None:
        for name, result in results.items():
            source = {"products": _MAIN, "variant_media": _MEDIA}.get(name, _MORE)
            order = Order()
            for line in read_lines(result.path, result.lines, self._shop):
                if source == _MAIN:
                    order.note(line)
                    if line.kind == "ProductVariant":
                        owners.put(line.number, b"%d %d\n" % (line.number, line.parent_number))
                self._put(source, line, near, far)
            self._ordered &= order.kept
            result.path.unlink()

    def _put(self, source: bytes, line: Line, near: Scatter, far: Scatter) -> None:
        if line.kind == "Product":
            near.put(line.number, source + line.raw)
        elif line.parent_kind == "Product":
            if source != _MORE or line.kind != "ProductVariant":
                near.put(line.parent_number, source + line.raw)
        else:
            variant = line.number if line.kind == "ProductVariant" else line.parent_number
            far.put(variant, b"%d " % variant + source + line.raw)

    def _write_part(self, lines: list[tuple[bytes, Node]]) -> None:
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

    def __init__(self, lines: list[tuple[bytes, Node]], *, further: int) -> None:
        self.products: dict[str, Node] = {}
        self._variants: dict[str, Node] = {}
        self._moments: dict[str, set[str]] = {}
        self._media_read: set[str] = set()
        self._further = further
        self._told: dict[str, int] = {}
        for source, node in lines:
            if source == _MAIN and node.get("__typename") == "Product":
                node.update(variants=[], media=[], metafields=[])
                self.products[node["id"]] = node
        for source, node in lines:
            if source == _MAIN and node.get("__typename") == "ProductVariant":
                self._add_variant(node)
        for source, node in lines:
            self._add(source, node)

    def _add_variant(self, node: Node) -> None:
        product = self.products.get(node.pop("__parentId"))
        if product is not None:
            node.update(media=[], metafields=[])
            self._variants[node["id"]] = node
            product["variants"].append(node)

    def _add(self, source: bytes, node: Node) -> None:
        kind = node.get("__typename")
        if kind == "Product":
            if source == _MORE:
                self._told[node["id"]] = self._told.get(node["id"], 0) + 1
                self._moment(node["id"], node)
        elif kind == "ProductVariant":
            if source == _MEDIA:
                self._media_read.add(node["id"])
                self._moment((node.get("product") or {}).get("id", ""), node.get("product") or {})
        else:
            parent = node.pop("__parentId", "")
            owner = self.products.get(parent) or self._variants.get(parent)
            if owner is not None and kind == "Metafield":
                node.pop("__typename")
                owner["metafields"].append(node)
            elif owner is not None:
                owner["media"].append(node)

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
