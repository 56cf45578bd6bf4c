"""Products out of bulk results, made into exactly what pages give.

Three kinds of results are joined: the products with variants, media and metafields; the media of variants, which
are one connection too many for the first; and the metafields of each further namespace. The lines are trusted
neither in order nor in number: children find their parent by id, whatever Shopify counts is compared, and a product
about which there is a doubt is read again by id. When that shows that the file had lost something which the count
of lines did not tell, the whole result is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

from salesbot_pipelines.errors import BulkFailed
from salesbot_pipelines.shopify.bulk import BulkResult
from salesbot_pipelines.shopify.nodes import node_of
from salesbot_pipelines.shopify.queries import bulk_text
from salesbot_pipelines.shopify.reading.bulk_join import (
    MAIN,
    MEDIA,
    cut,
    join_far,
    join_part,
    remove_joined,
    spread,
)
from salesbot_pipelines.shopify.reading.bulk_lines import PROVED_CHILDREN
from salesbot_pipelines.shopify.reading.bulk_part import Joined
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.products import ProductReader, finished

ENTITY = "products"


def product_texts(namespaces: tuple[str, ...]) -> dict[str, str]:
    """Return the operations that all products take, by name."""
    texts = {
        MAIN: bulk_text("bulk_products", namespaces[0] if namespaces else None),
        MEDIA: bulk_text("bulk_variant_media"),
    }
    return texts | {f"metafields_{n}": bulk_text("bulk_metafields", ns) for n, ns in enumerate(namespaces[1:], 1)}


class BulkProducts:
    """Joins the results of `product_texts` and writes the products."""

    def __init__(
        self, reading: Reading, reader: ProductReader, folder: Path, results: Mapping[str, BulkResult]
    ) -> None:
        self._reading = reading
        self._reader = reader
        self._results = results
        self._where = cut(folder, reading.client.shop, {name: result.path for name, result in results.items()})

    def spreading(self) -> dict[str, Callable[[], bool]]:
        """Return what is to be done before `read`, by result, in any order and by any process."""
        return {
            name: partial(spread, self._where, name, result.path, result.lines)
            for name, result in self._results.items()
        }

    def read(self, *, ordered: bool) -> None:
        """Write every product; raise `BulkFailed` when the results turn out not to be whole.

        `ordered` says whether the lines of the products' result stood in order.
        """
        where = self._where
        join_far(where)
        share = self._reading.share if where.parts > 1 else map
        for part, products in enumerate(share(partial(join_part, where, ordered), range(where.parts))):
            self._write_part(products)
            remove_joined(where, part)
            self._reading.step(ENTITY)

    def _write_part(self, products: list[Joined]) -> None:
        """Write some products in order; those in doubt are read by id."""
        seen = self._reading.seen[ENTITY]
        fresh = list(compress(products, seen.new(product.number for product in products)))
        doubts = {_gid(product): product for product in fresh if product.doubtful}
        probe = max(fresh, key=lambda product: product.uncounted, default=None)
        if probe is not None and probe.uncounted > 1:
            doubts[_gid(probe)] = probe  # what has most of what nobody counts shows whether it was cut
        lines = {product.number: (product.line, product.told) for product in fresh}
        for gid, whole in self._reader.whole([(gid, product.told.variants) for gid, product in doubts.items()]):
            number = number_of(gid)
            if whole is None:
                seen.discard(number)
                del lines[number]
            else:
                self._prove(node_of(doubts[gid].line), whole)
                lines[number] = finished(whole)
        self._reader.write_lines(list(lines.values()))

    def _prove(self, joined: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
        """Raise `BulkFailed` when the file gave too few children of an unchanged product, below the known limit."""
        if joined["updatedAt"] != whole["updatedAt"]:
            return
        pairs = [(joined, whole), *zip(joined["variants"], whole["variants"], strict=False)]
        for mine, true in pairs:
            for name in ("variants", "media", "metafields"):
                got, there = len(mine.get(name, ())), len(true.get(name, ()))
                if got < there and got < PROVED_CHILDREN:
                    shop = self._where.shop
                    raise BulkFailed(f"{shop}: the result has {got} of {there} {name} of one product", shop=shop)


def _gid(product: Joined) -> str:
    return f"gid://shopify/Product/{product.number}"
