"""Products put together from the lines of bulk results: plain functions over files, for any process to do.

First each result's lines are spread over parts, by product, or by variant where a line names only that (`spread`);
then what went by variant goes to its product's part (`join_far`); then each part is joined (`join_part`), which reads
its files and leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from salesbot_pipelines.shopify.nodes import line_of
from salesbot_pipelines.shopify.reading.bulk_lines import (
    PROVED_CHILDREN,
    Line,
    Node,
    Order,
    decode_lines,
    named,
    number_of_kind,
    read_lines,
)
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.scatter import Scatter, cuts_for, parts_for, read_part, remove_part
from salesbot_pipelines.shopify.reading.told import Told, told_of

MAIN, MEDIA = "products", "variant_media"
_NEAR, _FAR, _OWNERS = "near-{}", "far-{}", "owners"


@dataclass(frozen=True)
class Spread:
    """Where the lines of one shop's product results lie, and what each part begins with; `more` are further results.

    Lines that name only a variant lie in parts of their own until `join_far`.
    """

    folder: Path
    shop: str
    cuts: tuple[int, ...]
    variant_cuts: tuple[int, ...]
    more: tuple[str, ...]

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self.cuts) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The results' names."""
        return MAIN, MEDIA, *self.more


class Joined(NamedTuple):
    """One product as a page would give it, and how sure that is."""

    number: int
    line: bytes
    told: Told
    doubtful: bool
    """It must be read again to be sure of it."""
    uncounted: int
    """The most children any of its connections has that Shopify gives no count of."""


def cut(folder: Path, shop: str, results: Mapping[str, Path]) -> Spread:
    """Say how to spread the results."""
    parts = parts_for(sum(path.stat().st_size for path in results.values()))
    return Spread(
        folder=folder,
        shop=shop,
        cuts=cuts_for(results[MAIN], parts, partial(number_of_kind, "Product")),
        variant_cuts=cuts_for(results[MAIN], parts, partial(number_of_kind, "ProductVariant")),
        more=tuple(name for name in results if name not in (MAIN, MEDIA)),
    )


def spread(where: Spread, name: str, path: Path, lines: int) -> bool:
    """Spread a result of so many lines; say whether they stood in order. Raise `BulkFailed` when it is not whole."""
    folder = where.folder
    near = Scatter(folder, _NEAR.format(name), where.cuts, anew=True)
    far = Scatter(folder, _FAR.format(name), where.variant_cuts, anew=True)
    owners = Scatter(folder, _OWNERS, where.variant_cuts, anew=True) if name == MAIN else None
    order = Order()
    for line in read_lines(path, lines, where.shop):
        if owners is not None:
            order.note(line)
        _put(line, near, far, owners)
    for scatter in filter(None, (near, far, owners)):
        scatter.close()
    return order.kept


def _put(line: Line, near: Scatter, far: Scatter, owners: Scatter | None) -> None:
    """Put a line where its product or variant will be looked for."""
    number, parent, parent_kind, head, raw = line
    is_variant = head.kind == "ProductVariant"
    if head.kind == "Product":
        near.put(number, raw)
    elif parent_kind == "Product":
        if not is_variant or owners is not None:
            near.put(parent, raw)
        if is_variant and owners is not None:
            owners.put(number, b"%d %d\n" % (number, parent))
    elif product := named(head.product.id)[0] if head.product else 0:
        near.put(product, raw)
    else:
        variant = number if is_variant else parent
        far.put(variant, b"%d %s" % (variant, raw))


def join_far(where: Spread) -> None:
    """Move what belongs to variants to their products."""
    folder = where.folder
    near = {name: Scatter(folder, _NEAR.format(name), where.cuts) for name in where.names}
    for part in range(len(where.variant_cuts) + 1):
        owners = {
            int(variant): int(product) for variant, product in map(bytes.split, read_part(folder, _OWNERS, part))
        }
        for name in where.names:
            for line in read_part(folder, _FAR.format(name), part):
                number, _, raw = line.partition(b" ")
                product = owners.get(int(number))
                if product is not None:  # else a variant made after the products were listed
                    near[name].put(product, raw)
            remove_part(folder, _FAR.format(name), part)
        remove_part(folder, _OWNERS, part)
    for scatter in near.values():
        scatter.close()


def join_part(where: Spread, ordered: bool, part: int) -> list[Joined]:
    """Join the lines of some products, and give them in order; raise `BulkFailed` when a line is broken."""
    lines = {
        name: decode_lines(read_part(where.folder, _NEAR.format(name), part), where.shop) for name in where.names
    }
    return sorted(_Part(lines).joined(ordered=ordered), key=attrgetter("number"))


def remove_joined(where: Spread, part: int) -> None:
    """Remove a part that is done with."""
    for name in where.names:
        remove_part(where.folder, _NEAR.format(name), part)


class _Part:
    """Some products with everything that belongs to them."""

    def __init__(self, lines: Mapping[str, list[Node]]) -> None:
        self._products: dict[str, Node] = {}
        self._variants: dict[str, Node] = {}
        self._moments: dict[str, set[str]] = {}
        self._media_read: set[str] = set()
        more = [name for name in lines if name not in (MAIN, MEDIA)]
        self._further = len(more)
        self._told: dict[str, int] = {}
        by_kind: dict[str, list[Node]] = {"Product": [], "ProductVariant": []}
        children: list[Node] = []
        for node in lines[MAIN]:
            by_kind.get(node["__typename"], children).append(node)
        for node in by_kind["Product"]:
            node.update(variants=[], media=[], metafields=[])
            self._products[node["id"]] = node
        for node in by_kind["ProductVariant"]:
            self._add_variant(node)
        self._add_children(children)
        self._add_media(lines[MEDIA])
        for name in more:
            self._add_more(lines[name])

    def joined(self, *, ordered: bool) -> Iterator[Joined]:
        """Give the products."""
        for gid, node in self._products.items():
            uncounted = self._uncounted(node)
            doubtful = uncounted >= PROVED_CHILDREN or self._doubtful(gid, ordered=ordered)
            finished = self._finished(node)
            yield Joined(number_of(gid), line_of(finished), told_of(finished), doubtful, uncounted)

    def _add_variant(self, node: Node) -> None:
        product = self._products.get(node.pop("__parentId"))
        if product is not None:
            node.update(media=[], metafields=[])
            self._variants[node["id"]] = node
            product["variants"].append(node)

    def _add_children(self, nodes: list[Node]) -> None:
        products, variants = self._products, self._variants
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

    def _doubtful(self, gid: str, *, ordered: bool) -> bool:
        """Say whether a product must be read again to be sure of it."""
        node = self._products[gid]
        variants = node["variants"]
        moved = self._moments.get(gid, set()) - {node["updatedAt"]}
        unread = any(variant["id"] not in self._media_read for variant in variants)
        short = _differs(node.get("variantsCount"), variants) or _differs(node.get("mediaCount"), node["media"])
        several = max([len(node["media"]), *(len(variant["media"]) for variant in variants)]) > 1
        return bool(moved) or unread or short or self._told.get(gid, 0) != self._further or (several and not ordered)

    def _uncounted(self, node: Node) -> int:
        """Return the most children any connection of the product has that Shopify gives no count of."""
        lists = [node["metafields"], *(v[name] for v in node["variants"] for name in ("media", "metafields"))]
        return max(len(found) for found in lists)

    def _finished(self, node: Node) -> Node:
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
