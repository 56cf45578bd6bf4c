"""Products and all that belongs to them, put together out of the lines of one part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass, field
from typing import NamedTuple

from salesbot_pipelines.shopify.nodes import line_of
from salesbot_pipelines.shopify.reading.bulk_lines import PROVED_CHILDREN, Head, inside_of
from salesbot_pipelines.shopify.reading.connections import exact
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.told import Told, tell

Headed = tuple[Head, bytes]
"""A line, and what it says of where it belongs."""


class Joined(NamedTuple):
    """One product as a page would give it, and how sure that is."""

    number: int
    line: bytes
    told: Told
    doubtful: bool
    """It must be read again to be sure of it."""
    uncounted: int
    """The most children any of its connections has that Shopify gives no count of."""


@dataclass(slots=True)
class _Variant:
    """A variant, and what was found of it; `own` is what stands in its line."""

    head: Head
    own: bytes
    media: list[str] = field(default_factory=list)
    metafields: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class _Product:
    """A product, and what was found of it."""

    head: Head
    own: bytes
    variants: list[_Variant] = field(default_factory=list)
    media: list[tuple[str, bytes]] = field(default_factory=list)
    metafields: list[bytes] = field(default_factory=list)
    moments: set[str] = field(default_factory=set)
    """Its times in the other results."""
    further: int = 0
    """How many of the further results have it."""


class Part:
    """Some products with everything that belongs to them.

    Lines are cut and put together as they are: what was decoded and written again would be the same node.
    """

    def __init__(self, main: list[Headed], media: list[Headed], more: list[list[Headed]]) -> None:
        """Take the lines of the products' result, of the variants' media and of each further result."""
        self._products: dict[str, _Product] = {}
        self._variants: dict[str, _Variant] = {}
        self._media_read: set[str] = set()
        self._further = len(more)
        variants: list[Headed] = []
        children: list[Headed] = []
        for head, line in main:
            if head.kind == "Product":
                self._products[head.id] = _Product(head, inside_of(line, head))
            else:
                (variants if head.kind == "ProductVariant" else children).append((head, line))
        for head, line in variants:
            self._add_variant(head, line)
        self._add_children(children)
        self._add_media(media)
        for lines in more:
            self._add_more(lines)

    def joined(self, *, ordered: bool) -> Iterator[Joined]:
        """Give the products."""
        for product in self._products.values():
            of_variants = (found for variant in product.variants for found in (variant.media, variant.metafields))
            uncounted = max(map(len, (product.metafields, *of_variants)))
            doubtful = uncounted >= PROVED_CHILDREN or self._doubtful(product, ordered=ordered)
            yield Joined(number_of(product.head.id), _line_of(product), _told_of(product), doubtful, uncounted)

    def _add_variant(self, head: Head, line: bytes) -> None:
        product = self._products.get(head.parent or "")
        if product is not None:
            variant = self._variants[head.id] = _Variant(head, inside_of(line, head))
            product.variants.append(variant)

    def _add_children(self, lines: list[Headed]) -> None:
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

    def _add_media(self, lines: list[Headed]) -> None:
        """Add the media of variants, by id: they are media of their products."""
        for head, _ in lines:
            if head.kind == "ProductVariant":
                self._media_read.add(head.id)
                if head.product is not None and (product := self._products.get(head.product.id)):
                    product.moments.add(str(head.product.updated_at))
            elif variant := self._variants.get(head.parent or ""):
                variant.media.append(head.id)

    def _add_more(self, lines: list[Headed]) -> None:
        """Add the metafields of a further namespace."""
        children = []
        for head, line in lines:
            if head.kind != "Product":
                children.append((head, line))
            elif product := self._products.get(head.id):
                product.further += 1
                product.moments.add(str(head.updated_at))
        self._add_children(children)

    def _doubtful(self, product: _Product, *, ordered: bool) -> bool:
        """Say whether a product must be read again to be sure of it."""
        variants = product.variants
        moved = product.moments - {str(product.head.updated_at)}
        unread = any(variant.head.id not in self._media_read for variant in variants)
        short = _differs(product.head.variants_count, variants) or _differs(product.head.media_count, product.media)
        several = max([len(product.media), *(len(variant.media) for variant in variants)]) > 1
        return bool(moved) or unread or short or product.further != self._further or (several and not ordered)


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
    items = [variant.head.inventory_item for variant in product.variants]
    return tell(product.head.variants_count, [None if item is None else item.id for item in items])


def _differs(count: object, found: Sized) -> bool:
    return exact(count) not in (None, len(found))
