"""One product read whole, by id: from its first pages of everything to the last page of anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from salesbot_pipelines.shopify.client import AdminClient, Variables
from salesbot_pipelines.shopify.queries import Query, load, load_for
from salesbot_pipelines.shopify.reading.connections import exact, flatten, flatten_metafields
from salesbot_pipelines.shopify.reading.holes import Holes, SectionUnread, mark_holes, mark_incomplete
from salesbot_pipelines.shopify.reading.pages import Node, by_ids, drain

_AT_ONCE = {
    "variantsFirst": 250,
    "mediaFirst": 250,
    "metafieldsFirst": 250,
    "variantMediaFirst": 5,
    "variantMetafieldsFirst": 20,
}
_OF_A_VARIANT = {"variantMediaFirst": 5, "variantMetafieldsFirst": 20}
_ATTEMPTS = 4


class Gone(Exception):
    """The product was deleted while it was read. Never leaves the reading."""


class _Changed(Exception):
    """The product's `updatedAt` moved between two of its pages."""


class WholeProduct:
    """Reads single products to their end."""

    def __init__(self, client: AdminClient, namespaces: Sequence[str], holes: Holes) -> None:
        self._client = client
        self._namespaces = list(namespaces)
        self._holes = holes
        self._by_id = load_for("products_by_id", tuple(namespaces))
        self._variants = load_for("product_variants", tuple(namespaces))

    def first_pages(self, gids: Sequence[str]) -> Iterator[tuple[str, Node | None]]:
        """Give each product with the first 250 of everything; None for one that is gone."""
        rest = list(gids)
        for answer, nodes in by_ids(self._client, self._by_id, gids, _AT_ONCE):
            mark_holes(answer, ("nodes",), nodes, self._holes, "products")
            chunk, rest = rest[: len(nodes)], rest[len(nodes) :]
            yield from zip(chunk, nodes, strict=True)

    def complete(self, node: Node) -> Node:
        """Return the product with plain, whole lists.

        When it changes between two pages it is read anew, a few times; after that what is not whole is named in its
        `incomplete`: a product that sells every second must not keep a shop from being read. Raises `Gone`.
        """
        gid: str = node["id"]
        for attempt in range(_ATTEMPTS):
            try:
                self._finish(node)
                if not _is_miscounted(node):
                    return node
            except _Changed:
                mark_incomplete(node, "variants")
            if attempt + 1 < _ATTEMPTS:
                ((_, again),) = self.first_pages([gid])
                if again is None:
                    raise Gone
                node = again
        mark_incomplete(node, "variants")
        return node

    def finish_variant(self, variant: Node, product: Node) -> None:
        """Make plain, whole lists of a variant's media and metafields; its media are those of the product."""
        gid = variant["id"]
        cursor = flatten(variant, "media")
        if cursor is not None:
            variant["media"] += self._rest(load("variant_media"), "productVariant", "media", gid, cursor, variant)
        for number, after in flatten_metafields(variant, len(self._namespaces)).items():
            asked = {"namespace": self._namespaces[number]}
            query = load("variant_metafields")
            variant["metafields"] += self._rest(query, "productVariant", "metafields", gid, after, variant, asked)
        if variant["media"]:
            known = {media["id"]: media for media in product["media"]}
            variant["media"] = [known.get(media["id"], media) for media in variant["media"]]

    def _finish(self, node: Node) -> None:
        """Make plain, whole lists of everything; they are plain even when this raises `_Changed`."""
        variants, media = flatten(node, "variants"), flatten(node, "media")
        metafields = flatten_metafields(node, len(self._namespaces))
        try:
            if variants is not None:
                self._drain(node, "variants", self._variants, variants, _OF_A_VARIANT)
            if media is not None:
                self._drain(node, "media", load("product_media"), media, {})
            for number, after in metafields.items():
                asked = {"namespace": self._namespaces[number]}
                self._drain(node, "metafields", load("product_metafields"), after, asked)
        finally:
            for variant in node["variants"]:
                self.finish_variant(variant, node)
        if len({variant["id"] for variant in node["variants"]}) != len(node["variants"]):
            raise _Changed  # within one second of `updatedAt`

    def _drain(self, node: Node, name: str, query: Query, after: str, asked: Variables) -> None:
        """Add the further pages of a connection; raise `_Changed` when the product is no longer the one it was."""
        try:
            for page in drain(self._client, query, {**asked, "id": node["id"]}, ("product", name), after):
                if page.answer.data["product"].get("updatedAt") != node["updatedAt"]:
                    raise _Changed
                node[name] += page.nodes
        except SectionUnread as unread:
            if unread.problem is None:
                raise Gone from None
            self._holes.add_problem(f"products.{name}", unread.problem)
            mark_incomplete(node, name)

    def _rest(
        self,
        query: Query,
        root: str,
        name: str,
        gid: str,
        after: str,
        node: Node,
        asked: Variables | None = None,
    ) -> list[Node]:
        found: list[Node] = []
        try:
            for page in drain(self._client, query, {**(asked or {}), "id": gid}, (root, name), after):
                found += page.nodes
        except SectionUnread:
            mark_incomplete(node, name)
        return found


def _is_miscounted(node: Node) -> bool:
    counted = exact(node.get("variantsCount"))
    return counted is not None and counted != len(node["variants"])
