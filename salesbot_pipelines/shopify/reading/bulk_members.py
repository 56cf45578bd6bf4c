"""The products of long collections, out of one bulk result.

By pages a collection of 5,000 products costs twenty calls and 300 points, and a large shop has many. A list is taken
from the file only when it is proved to be the collection's of now: as long as Shopify counts, without a product that
comes twice, of the same `updatedAt`, and beginning as the page does that was read meanwhile. Any other is drained by
cursor, as all are where bulk cannot be had.
"""

from __future__ import annotations

import logging
from array import array

from salesbot_pipelines.shopify.bulk import BulkResult
from salesbot_pipelines.shopify.queries import bulk_text
from salesbot_pipelines.shopify.reading.bulk_lines import read_lines
from salesbot_pipelines.shopify.reading.connections import Node, exact
from salesbot_pipelines.shopify.reading.ids import number_of

_log = logging.getLogger(__name__)

ENTITY = "collections"
MOST_HELD = 2_000_000
"""Members kept in memory, at eight bytes each; the collections beyond are drained by cursor."""


def members_text() -> dict[str, str]:
    """Return the operation that the members of all collections take."""
    return {ENTITY: bulk_text("bulk_collections")}


class BulkMembers:
    """The lists of one result, by collection."""

    def __init__(self, result: BulkResult | None = None, shop: str = "", *, longer_than: int = 0) -> None:
        """Read a result, keeping the lists that are longer than a page; raise `BulkFailed` when it is broken."""
        self._moments: dict[int, object] = {}
        self._lists: dict[int, array[int]] = {}
        if result is None:
            return
        held = 0
        for number, parent, _, head, _ in read_lines(result.path, result.lines, shop):
            if not parent:
                self._moments[number] = head.updated_at
                continue
            self._lists.setdefault(parent, array("q")).append(number)
            held += 1
            if held > MOST_HELD:
                # What comes of it after this is no whole list, and so is never proved.
                held -= len(self._lists.pop(parent))
        self._lists = {number: found for number, found in self._lists.items() if len(found) > longer_than}

    def of(self, node: Node) -> list[Node] | None:
        """Return the products of a collection, None unless they are proved; `node` has the first page of them."""
        number = number_of(node["id"])
        found = self._lists.get(number)
        first = [number_of(product["id"]) for product in node["products"]]
        if (
            found is None
            or len(found) != exact(node.get("productsCount"))
            or len(set(found)) != len(found)
            or self._moments.get(number) != node.get("updatedAt")
            or found[: len(first)].tolist() != first
        ):
            return None
        return [{"id": f"gid://shopify/Product/{product}"} for product in found]
