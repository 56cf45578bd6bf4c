"""Collections with the ids of their products, in the shop's own order.

The first 250 come with the page, so most collections are of one moment. A longer one is taken from a bulk result
where there is one that proves itself, or drained by cursor; its order may shift in between (it can be by sales), so a
product that comes twice or a wrong count means reading it anew. Paging ends at 25,000: what lies beyond is read from
the other end.
"""

from __future__ import annotations

from collections.abc import Sequence

from salesbot_pipelines.shopify.queries import load
from salesbot_pipelines.shopify.reading.bulk_members import BulkMembers
from salesbot_pipelines.shopify.reading.connections import exact, flatten
from salesbot_pipelines.shopify.reading.context import Reading
from salesbot_pipelines.shopify.reading.holes import SectionUnread, mark_holes, mark_incomplete
from salesbot_pipelines.shopify.reading.ids import number_of
from salesbot_pipelines.shopify.reading.pages import WINDOW, Node, by_ids, drain, walk

ENTITY = "collections"
FIRST_PRODUCTS = 250
"""Products of a collection that come with its page."""
_IN_A_PAGE = {"productsFirst": FIRST_PRODUCTS}
_ATTEMPTS = 3


class CollectionReader:
    """Reads all collections of a shop, or those with given ids."""

    def __init__(self, reading: Reading, members: BulkMembers | None = None) -> None:
        self._reading = reading
        self._client = reading.client
        self._members = members or BulkMembers()

    def read(self) -> None:
        """Write every collection of the shop."""
        reading = self._reading
        for page, fresh in walk(self._client, load("collections"), ENTITY, reading.seen[ENTITY], _IN_A_PAGE):
            reading.duplicates[ENTITY] += len(page.nodes) - len(fresh)
            mark_holes(page.answer, (ENTITY, "nodes"), page.nodes, reading.holes, ENTITY)
            for node in fresh:
                self._write(node)
            reading.step(ENTITY)

    def read_ids(self, gids: Sequence[str]) -> None:
        """Write the collections with these ids; one that is gone is left out."""
        for answer, nodes in by_ids(self._client, load("collections_by_id"), gids, _IN_A_PAGE):
            mark_holes(answer, ("nodes",), nodes, self._reading.holes, ENTITY)
            for node in nodes:
                if node is not None and self._reading.seen[ENTITY].add(number_of(node["id"])):
                    self._write(node)

    def _write(self, node: Node) -> None:
        goes_on = flatten(node, "products") is not None
        if goes_on:
            node = self._complete(node)
        members = [product["id"] for product in node.pop("products")]
        if "incomplete" in node:
            # The list is published under another name than Shopify's.
            node["incomplete"] = ["product_ids" if name == "products" else name for name in node["incomplete"]]
        node["product_ids"] = members
        node.pop("__typename", None)
        self._reading.sink.write(ENTITY, node)

    def _complete(self, node: Node) -> Node:
        """Return the collection with all its products, or with the most of them that could be read."""
        proved = self._members.of(node)
        if proved is not None:
            return {**node, "products": proved}
        best: list[Node] = node["products"]
        for _ in range(_ATTEMPTS):
            try:
                members, stood_still = self._all_members(node)
            except SectionUnread:
                break
            if stood_still and (exact(node.get("productsCount")) or len(members)) == len(members):
                return {**node, "products": members}
            best = max(best, members, key=len)
            node = self._again(node)
        mark_incomplete(node, "products")
        return {**node, "products": best}

    def _again(self, node: Node) -> Node:
        ((_, (again,)),) = by_ids(self._client, load("collections_by_id"), [node["id"]], _IN_A_PAGE)
        if again is None:
            return node
        flatten(again, "products")
        return again

    def _all_members(self, node: Node) -> tuple[list[Node], bool]:
        """Return the members, and whether the collection was the same in all their pages as `node` is."""
        forward, same, ended = self._one_way(node, {}, reverse=False)
        if ended:
            return list(forward.values()), same
        backward, same_again, _ = self._one_way(node, forward, reverse=True)
        return [*forward.values(), *reversed(backward.values())], same and same_again

    def _one_way(self, node: Node, known: dict[str, Node], *, reverse: bool) -> tuple[dict[str, Node], bool, bool]:
        """Return the members from one end on, whether the collection stood still, and whether these are all.

        Ends at a member that is `known` from the other end, and well before the depth at which paging ends.
        """
        found: dict[str, Node] = {}
        same = True
        asked = {"id": node["id"], "reverse": reverse}
        for page in drain(self._client, load("collection_products"), asked, ("collection", "products"), None):
            told = page.answer.data["collection"]
            same = same and all(told.get(name) == node.get(name) for name in ("updatedAt", "productsCount"))
            for product in page.nodes:
                if product["id"] in known:
                    return found, same, True
                same = same and product["id"] not in found
                found[product["id"]] = product
            if page.has_next and len(found) >= WINDOW:
                return found, same, False
        return found, same, True
