"""Products put together from the lines of bulk results: plain functions over files, for any process to do.

First each result's lines are spread over parts, by product, or by variant where a line names only that (`spread`);
then what went by variant goes to its product's part (`join_far`); then each part is joined (`join_part`), which reads
its files and leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from salesbot_pipelines.shopify.nodes import line_of
from salesbot_pipelines.shopify.reading.bulk_lines import (
    PROVED_CHILDREN,
    Head,
    Line,
    Order,
    heads_in,
    inside_of,
    named,
    number_of_kind,
    read_lines,
)
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.scatter import Scatter, cuts_for, parts_for, read_part, remove_part
from salesbot_pipelines.shopify.reading.told import Told

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
    lines = {name: _lines_of(read_part(where.folder, _NEAR.format(name), part), where.shop) for name in where.names}
    return sorted(_Part(lines).joined(ordered=ordered), key=attrgetter("number"))


def _lines_of(lines: list[bytes], shop: str) -> list[tuple[Head, bytes]]:
    return list(zip(heads_in(lines, shop), lines, strict=True))


def remove_joined(where: Spread, part: int) -> None:
    """Remove a part that is done with."""
    for name in where.names:
        remove_part(where.folder, _NEAR.format(name), part)


class _Variant:
    """A variant, and what was found of it; `own` is what stands in its line."""

    __slots__ = ("head", "media", "metafields", "own")

    def __init__(self, head: Head, own: bytes) -> None:
        self.head = head
        self.own = own
        self.media: list[str] = []
        self.metafields: list[bytes] = []


class _Product:
    """A product, and what was found of it."""

    __slots__ = ("head", "media", "metafields", "moments", "own", "told", "variants")

    def __init__(self, head: Head, own: bytes) -> None:
        self.head = head
        self.own = own
        self.variants: list[_Variant] = []
        self.media: list[tuple[str, bytes]] = []
        self.metafields: list[bytes] = []
        self.moments: set[str] = set()
        """Its times in the other results."""
        self.told = 0
        """How many of the further results have it."""


class _Part:
    """Some products with everything that belongs to them.

    Lines are cut and put together as they are: what was decoded and written again would be the same node.
    """

    def __init__(self, lines: Mapping[str, list[tuple[Head, bytes]]]) -> None:
        self._products: dict[str, _Product] = {}
        self._variants: dict[str, _Variant] = {}
        self._media_read: set[str] = set()
        self._further = len(lines) - len((MAIN, MEDIA))
        variants: list[tuple[Head, bytes]] = []
        children: list[tuple[Head, bytes]] = []
        for head, line in lines[MAIN]:
            if head.kind == "Product":
                self._products[head.id] = _Product(head, inside_of(line, head))
            else:
                (variants if head.kind == "ProductVariant" else children).append((head, line))
        for head, line in variants:
            self._add_variant(head, line)
        self._add_children(children)
        self._add_media(lines[MEDIA])
        for name in lines:
            if name not in (MAIN, MEDIA):
                self._add_more(lines[name])

    def joined(self, *, ordered: bool) -> Iterator[Joined]:
        """Give the products."""
        for product in self._products.values():
            uncounted = max(
                len(product.metafields),
                *(len(found) for variant in product.variants for found in (variant.media, variant.metafields)),
                0,
            )
            doubtful = uncounted >= PROVED_CHILDREN or self._doubtful(product, ordered=ordered)
            yield Joined(number_of(product.head.id), _line_of(product), _told_of(product), doubtful, uncounted)

    def _add_variant(self, head: Head, line: bytes) -> None:
        product = self._products.get(head.parent or "")
        if product is not None:
            variant = self._variants[head.id] = _Variant(head, inside_of(line, head))
            product.variants.append(variant)

    def _add_children(self, lines: list[tuple[Head, bytes]]) -> None:
        """Add metafields, and the media of products."""
        products, variants = self._products, self._variants
        for head, line in lines:
            parent = head.parent or ""
            owner = products.get(parent) or variants.get(parent)
            if owner is None:
                continue
            if head.kind == "Metafield":
                owner.metafields.append(b"{%b}" % inside_of(line, head))
            elif isinstance(owner, _Product):
                owner.media.append((head.id, b"{%b}" % inside_of(line, head, with_kind=True)))

    def _add_media(self, lines: list[tuple[Head, bytes]]) -> None:
        """Add the media of variants, by id: they are media of their products."""
        for head, _ in lines:
            if head.kind == "ProductVariant":
                self._media_read.add(head.id)
                if head.product is not None and (product := self._products.get(head.product.id)):
                    product.moments.add(str(head.product.updated_at))
            elif variant := self._variants.get(head.parent or ""):
                variant.media.append(head.id)

    def _add_more(self, lines: list[tuple[Head, bytes]]) -> None:
        """Add the metafields of a further namespace."""
        children = []
        for head, line in lines:
            if head.kind != "Product":
                children.append((head, line))
            elif product := self._products.get(head.id):
                product.told += 1
                product.moments.add(str(head.updated_at))
        self._add_children(children)

    def _doubtful(self, product: _Product, *, ordered: bool) -> bool:
        """Say whether a product must be read again to be sure of it."""
        variants = product.variants
        moved = product.moments - {str(product.head.updated_at)}
        unread = any(variant.head.id not in self._media_read for variant in variants)
        short = _differs(product.head.variants_count, variants) or _differs(product.head.media_count, product.media)
        several = max([len(product.media), *(len(variant.media) for variant in variants)]) > 1
        return bool(moved) or unread or short or product.told != self._further or (several and not ordered)


def _line_of(product: _Product) -> bytes:
    """Return the product's line as a page would give it: variants by position, their media whole."""
    product.variants.sort(key=lambda variant: variant.head.position or 0)
    media = dict(product.media)
    return b'{%b,"variants":[%b],"media":[%b],"metafields":[%b]}' % (
        product.own,
        b",".join([_line_of_variant(variant, media) for variant in product.variants]),
        b",".join([line for _, line in product.media]),
        b",".join(product.metafields),
    )


def _line_of_variant(variant: _Variant, media: Mapping[str, bytes]) -> bytes:
    found = [media[gid] if gid in media else line_of({"id": gid}) for gid in variant.media]
    return b'{%b,"media":[%b],"metafields":[%b]}' % (variant.own, b",".join(found), b",".join(variant.metafields))


def _told_of(product: _Product) -> Told:
    items = (variant.head.inventory_item for variant in product.variants)
    return Told(
        variants=len(product.variants),
        proved=exact(product.head.variants_count) == len(product.variants),
        items=[number_of(item.id) for item in items if item is not None],
    )


def _differs(count: object, found: Sized) -> bool:
    counted = exact(count)
    return counted is not None and counted != len(found)
