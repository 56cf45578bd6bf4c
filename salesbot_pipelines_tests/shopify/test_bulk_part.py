"""Products of one part: put together as a page gives them, and in doubt for each reason by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from salesbot_pipelines.shopify.nodes import line_of, node_of
from salesbot_pipelines.shopify.reading.bulk_lines import heads_in
from salesbot_pipelines.shopify.reading.bulk_part import Headed, Joined, Part
from salesbot_pipelines.shopify.reading.told import told_of
from salesbot_pipelines_tests.shopify.bench import gid

Node = dict[str, Any]
THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def headed(nodes: list[Node]) -> list[Headed]:
    lines = [line_of(node) + b"\n" for node in nodes]
    return list(zip(heads_in(lines, "a.myshopify.com"), lines, strict=True))


def count(number: int, precision: str = "EXACT") -> Node:
    return {"count": number, "precision": precision}


class Results:
    """One product with two variants and a picture, which the second variant has too, in three results."""

    def __init__(self) -> None:
        self.product: Node = {
            "__typename": "Product",
            "id": gid(5),
            "updatedAt": THEN,
            "variantsCount": count(2),
            "mediaCount": count(1),
        }
        self.variants: list[Node] = [
            {
                "__typename": "ProductVariant",
                "id": gid(number, "ProductVariant"),
                "position": position,
                "inventoryItem": {"id": gid(number + 70, "InventoryItem")},
                "__parentId": gid(5),
            }
            for number, position in ((7, 2), (8, 1))
        ]
        self.picture: Node = {
            "__typename": "MediaImage",
            "id": gid(3, "MediaImage"),
            "alt": "a",
            "__parentId": gid(5),
        }
        self.more_media: list[Node] = []
        self.notes: list[Node] = []
        self.asked: list[Node] = [
            {"__typename": "ProductVariant", "id": variant["id"], "product": {"id": gid(5), "updatedAt": THEN}}
            for variant in self.variants
        ]
        self.shown: list[Node] = [self.picture | {"__parentId": gid(8, "ProductVariant")}]
        self.further: list[Node] = [{"__typename": "Product", "id": gid(5), "updatedAt": THEN}]

    def joined(self, *, ordered: bool = True) -> Joined:
        main = [self.product, *self.variants, self.picture, *self.more_media, *self.notes]
        part = Part(headed(main), headed([*self.asked, *self.shown]), [headed(self.further)])
        (joined,) = part.joined(ordered=ordered)
        return joined


def note(number: int, parent: str) -> Node:
    return {"__typename": "Metafield", "id": gid(number, "Metafield"), "value": "1", "__parentId": parent}


def test_a_product_is_put_together_as_a_page_gives_it() -> None:
    results = Results()
    results.notes = [note(1, gid(5)), note(2, gid(7, "ProductVariant"))]
    joined = results.joined()
    picture = {"__typename": "MediaImage", "id": gid(3, "MediaImage"), "alt": "a"}
    first, second = ({key: v[key] for key in ("id", "position", "inventoryItem")} for v in reversed(results.variants))
    assert node_of(joined.line) == {
        "id": gid(5),
        "updatedAt": THEN,
        "variantsCount": count(2),
        "mediaCount": count(1),
        "variants": [
            first | {"media": [picture], "metafields": []},
            second | {"media": [], "metafields": [{"id": gid(2, "Metafield"), "value": "1"}]},
        ],
        "media": [picture],
        "metafields": [{"id": gid(1, "Metafield"), "value": "1"}],
    }
    assert joined.number == 5
    assert (joined.told.variants, joined.told.proved, sorted(joined.told.items)) == (2, True, [77, 78])
    assert not joined.doubtful


def test_metafields_of_further_namespaces_join_those_of_the_first() -> None:
    results = Results()
    results.notes = [note(1, gid(5))]
    results.further += [note(2, gid(5)), note(3, gid(8, "ProductVariant"))]
    product = node_of(results.joined().line)
    assert [field["id"] for field in product["metafields"]] == [gid(1, "Metafield"), gid(2, "Metafield")]
    assert [field["id"] for field in product["variants"][0]["metafields"]] == [gid(3, "Metafield")]


def test_a_picture_that_only_a_variant_has_is_told_by_its_id() -> None:
    results = Results()
    results.shown[0]["id"] = gid(4, "MediaImage")
    (first, _) = node_of(results.joined().line)["variants"]
    assert first["media"] == [{"id": gid(4, "MediaImage")}]


def more_pictures(results: Results) -> None:
    results.more_media = [results.picture | {"id": gid(4, "MediaImage")}]
    results.product["mediaCount"] = count(2)


DOUBTS: dict[str, Callable[[Results], object]] = {
    "it changed before its media were read": lambda r: r.asked[1]["product"].update(updatedAt=NOW),
    "it changed before its further metafields were read": lambda r: r.further[0].update(updatedAt=NOW),
    "the media of a variant were not read": lambda r: r.asked.pop(),
    "a variant is missing": lambda r: r.product.update(variantsCount=count(3)),
    "a picture is missing": lambda r: r.product.update(mediaCount=count(2)),
    "a further result does not have it": lambda r: r.further.clear(),
    "a further result has it twice": lambda r: r.further.append(r.further[0]),
    "as many metafields as files have been seen to end at": lambda r: r.notes.extend(
        note(n, gid(5)) for n in range(90)
    ),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_each_doubt_is_one_by_itself(doubt: str) -> None:
    results = Results()
    DOUBTS[doubt](results)
    assert results.joined().doubtful


@pytest.mark.parametrize(
    "sure",
    [
        lambda r: None,
        lambda r: r.product.update(variantsCount=count(3, "AT_LEAST"), mediaCount=None),
        lambda r: r.notes.extend(note(n, gid(5)) for n in range(89)),
        more_pictures,
    ],
)
def test_what_is_no_doubt(sure: Callable[[Results], object]) -> None:
    """Counts that Shopify does not give exactly among them: they prove nothing."""
    results = Results()
    sure(results)
    assert not results.joined().doubtful


def test_several_pictures_without_an_order_are_a_doubt() -> None:
    results = Results()
    assert not results.joined(ordered=False).doubtful
    more_pictures(results)
    assert results.joined(ordered=False).doubtful
    of_a_variant = Results()
    of_a_variant.shown *= 2
    assert of_a_variant.joined(ordered=False).doubtful
    assert not of_a_variant.joined().doubtful


def test_uncounted_is_the_longest_list_that_shopify_does_not_count() -> None:
    results = Results()
    assert results.joined().uncounted == 1  # the picture of a variant
    results.notes = [note(n, gid(5)) for n in range(3)]
    assert results.joined().uncounted == 3
    results.notes += [note(n, gid(7, "ProductVariant")) for n in range(4)]
    assert results.joined().uncounted == 4


@pytest.mark.parametrize(("counted", "proved"), [(count(2), True), (count(1), False), (count(2, "AT_LEAST"), False)])
def test_variants_are_proved_by_an_exact_count(counted: Node, proved: bool) -> None:
    results = Results()
    results.product["variantsCount"] = counted
    assert results.joined().told.proved is proved


@pytest.mark.parametrize("without", ["null", "absent"])
def test_a_variant_without_an_item_is_told_as_from_a_page(without: str) -> None:
    results = Results()
    if without == "null":
        results.variants[0]["inventoryItem"] = None
    else:
        del results.variants[0]["inventoryItem"]
    joined = results.joined()
    assert (joined.told.variants, joined.told.items) == (2, [78])
    assert told_of(node_of(joined.line)) == joined.told


def test_what_belongs_to_nothing_here_is_left_out() -> None:
    """A variant of a product that came later, its metafields and its media."""
    results = Results()
    stranger = results.variants[0] | {"id": gid(9, "ProductVariant"), "__parentId": gid(6), "inventoryItem": None}
    results.variants.append(stranger)
    results.notes = [note(1, stranger["id"]), note(2, gid(6))]
    results.shown.append(results.picture | {"__parentId": stranger["id"]})
    results.further.append(note(4, gid(6)))
    joined = results.joined()
    assert joined.told.variants == 2
    assert b"Metafield" not in joined.line
    assert not joined.doubtful
