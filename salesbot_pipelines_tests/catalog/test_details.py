"""Options, pictures and metafields, of products and of variants."""

import pytest

from salesbot_pipelines.catalog.model import (
    Media,
    Metafield,
    Option,
    OptionValue,
)
from salesbot_pipelines.catalog.normalise import Findings
from salesbot_pipelines_tests.catalog.nodes import publish, publish_variant, raw_product, raw_variant, sections


def test_options_go_by_position():
    raw = raw_product(
        options=[
            {
                "name": "Colour",
                "position": 2,
                "optionValues": [{"id": "gid://shopify/ProductOptionValue/1", "name": "Red"}],
            },
            {"name": "Size", "position": 1, "values": ["S", "M"]},
            {"name": None, "position": 0},
        ]
    )
    assert publish(raw).options == [
        Option("Size", 1, [OptionValue(None, "S"), OptionValue(None, "M")]),
        Option("Colour", 2, [OptionValue("gid://shopify/ProductOptionValue/1", "Red")]),
        Option("", 3, []),
    ]


@pytest.mark.parametrize(
    ("node", "media"),
    [
        (
            {
                "mediaContentType": "IMAGE",
                "alt": "A",
                "image": {"url": "https://c.example/1.jpg", "width": 1, "height": 2},
            },
            Media("A", 2, "image", "https://c.example/1.jpg", 1),
        ),
        (
            {"__typename": "MediaImage", "image": None, "preview": {"image": {"url": "https://c.example/p.jpg"}}},
            Media(None, None, "image", "https://c.example/p.jpg", None),
        ),
        (
            {"mediaContentType": "VIDEO", "preview": {"image": {"url": "https://c.example/v.jpg", "altText": "V"}}},
            Media("V", None, "video", "https://c.example/v.jpg", None),
        ),
        (
            {"__typename": "Model3d", "preview": {"image": {"url": "https://c.example/m.jpg"}}},
            Media(None, None, "model_3d", "https://c.example/m.jpg", None),
        ),
        (
            {"mediaContentType": "EXTERNAL_VIDEO", "preview": {"image": {"url": "https://c.example/e.jpg"}}},
            Media(None, None, "external_video", "https://c.example/e.jpg", None),
        ),
        (
            {"alt": "unknown kind", "preview": {"image": {"url": "https://c.example/ä.jpg"}}},
            Media("unknown kind", None, "image", "https://c.example/%C3%A4.jpg", None),
        ),
        ({"mediaContentType": "IMAGE", "image": {"url": None}, "preview": None}, None),
        ({"mediaContentType": "VIDEO", "preview": {"image": None}}, None),
    ],
)
def test_media_have_a_picture_or_are_left_out(node, media):
    findings = Findings()
    expected = [media] if media else []
    assert publish(raw_product(media=[node]), findings=findings).media == expected
    assert publish_variant(raw_variant(media={"nodes": [node]}), findings=findings).media == expected
    assert findings.total == 0


def test_media_keep_the_shops_order():
    nodes = [{"image": {"url": f"https://c.example/{name}"}} for name in "ba"]
    assert [one.url[-1] for one in publish(raw_product(media=nodes)).media] == ["b", "a"]


def test_metafields_go_by_namespace_and_key():
    def node(namespace, key, value="v", kind="t"):
        return {"namespace": namespace, "key": key, "value": value, "type": kind}

    raw = raw_product(
        metafields=[
            *(node("custom", "z"), node("app", "b"), node("custom", "a", value=""), node("custom", "n", kind=None)),
            *(node(None, "x"), node("custom", None), node("custom", "gone", value=None)),
        ]
    )
    assert publish(raw).metadata == [
        Metafield("b", "app", "t", "v"),
        Metafield("a", "custom", "t", ""),
        Metafield("n", "custom", "unknown", "v"),
        Metafield("z", "custom", "t", "v"),
    ]


@pytest.mark.parametrize("name", ["media", "metafields"])
def test_connections_read_in_part_are_told(name):
    findings = Findings()
    publish(raw_product(**{name: [], "incomplete": [name]}), findings=findings)
    publish_variant(raw_variant(**{name: {"nodes": [], "pageInfo": {"hasNextPage": True}}}), findings=findings)
    assert sections(findings) == [
        (f"/products/1/{name}", "truncated"),
        (f"/products/1/variants/1/{name}", "truncated"),
    ]


@pytest.mark.parametrize("name", ["media", "metafields"])
def test_connections_that_were_not_asked_for_are_empty_without_a_word(name):
    findings = Findings()
    publish(raw_product(**{name: None}), findings=findings)
    assert findings.total == 0
