"""Product exports as shops: every product, every variant row, exact prices."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from salesbot_pipelines.sandbox.csv_catalog import NotAnExport, shop_domain, shop_from_csv
from salesbot_pipelines_tests.needs import need_material

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
EXPORTS = [
    "real_shop_apparel.csv",
    "real_shop_bicycles.csv",
    "shopifypartners_apparel.csv",
    "shopifypartners_home-and-garden.csv",
    "shopifypartners_jewelery.csv",
]

TINY = """\
Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,\
Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,\
Variant Compare At Price,Variant Requires Shipping,Variant Taxable,Variant Barcode,Image Src,Image Position,\
Image Alt Text,Gift Card,SEO Title,SEO Description,Variant Image,Variant Weight Unit
mug,Mug,"<p>Two
lines, ""quoted""</p>",Kiln,Cup,"b, a ,b",true,Colour,Red,Size,S,'0012,454,shopify,-2,deny,7.5,9,\
true,true,'012345678905,https://cdn.example/2.jpg,2,back,false,A mug,,https://cdn.example/2.jpg,lb
mug,,,,,,,,Red,,L,DUP,1000,shopify,3,continue,12.345,,false,false,,https://cdn.example/1.jpg,1,,,,,,kg
mug,,,,,,,,,,,,,,,,,,,,,https://cdn.example/3.jpg,3,,,,,,
mug,,,,,,,,Blue,,S,DUP,,,,deny,0,,,,,,,,,,,,
plain,Plain,,,,,false,Title,Default Title,,,,0,,1,deny,50,,true,true,,,,,true,,,,g
"""


def test_a_hand_written_export(tmp_path, clock):
    path = tmp_path / "My Shop (1).csv"
    path.write_text(TINY, encoding="utf-8")
    shop = shop_from_csv(path, clock)
    assert shop.domain == "my-shop-1.myshopify.com"
    mug, plain = shop.all("products")
    assert mug["descriptionHtml"] == '<p>Two\nlines, "quoted"</p>'
    assert mug["tags"] == ["a", "b"]
    assert [media["image"]["url"][-5:] for media in mug["media"]] == ["1.jpg", "2.jpg", "3.jpg"]
    assert [option["name"] for option in mug["options"]] == ["Colour", "Size"]
    assert mug["options"][0]["values"] == ["Red", "Blue"]
    red_small, red_large, blue = mug["variants"]
    assert [v["title"] for v in mug["variants"]] == ["Red / S", "Red / L", "Blue / S"]
    assert (red_small["price"], red_small["compareAtPrice"], red_small["sku"]) == ("7.50", "9.00", "0012")
    assert (red_small["inventoryQuantity"], red_small["availableForSale"], red_small["barcode"]) == (
        -2,
        False,
        "012345678905",
    )
    assert red_small["inventoryItem"]["measurement"]["weight"] == {
        "__typename": "Weight",
        "value": 1.0009,
        "unit": "POUNDS",
    }
    assert red_small["media"] == [mug["media"][1]]
    assert (red_large["price"], red_large["inventoryPolicy"], red_large["taxable"]) == ("12.345", "CONTINUE", False)
    assert (blue["price"], blue["inventoryItem"]["tracked"]) == ("0.00", False)
    assert blue["inventoryItem"]["measurement"]["weight"] is None
    assert (plain["publishedAt"], plain["status"], plain["isGiftCard"]) == (None, "ACTIVE", True)
    assert plain["hasOnlyDefaultVariant"]
    assert plain["variants"][0]["price"] == "50.00"
    assert mug["priceRangeV2"]["maxVariantPrice"]["amount"] == "12.345"


def test_a_file_that_is_no_export(tmp_path, clock):
    path = tmp_path / "orders.csv"
    path.write_text("Name,Email\n#1,a@example.com\n", encoding="utf-8")
    with pytest.raises(NotAnExport, match=r"orders\.csv"):
        shop_from_csv(path, clock)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("real_shop_bicycles.csv", "real-shop-bicycles"),
        ("A__b.csv", "a-b"),
        ("急.csv", "catalog"),
        ("x" * 90 + ".csv", "x" * 60),
    ],
)
def test_domains_of_files(name, domain):
    assert shop_domain(Path(name)) == f"{domain}.myshopify.com"


@pytest.mark.shared
@pytest.mark.parametrize("name", EXPORTS)
def test_real_exports_are_kept_row_by_row(name, clock):
    path = SHARED / name
    need_material(path, "a real shop's product export")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [
        (
            row["Handle"],
            tuple(value for n in (1, 2, 3) if (value := row[f"Option{n} Value"])),
            Decimal(row["Variant Price"]),
            Decimal(row["Variant Compare At Price"]) if row["Variant Compare At Price"] else None,
            row["Variant SKU"].removeprefix("'") or None,
            int(row["Variant Inventory Qty"] or 0),
            bool(row["Variant Inventory Tracker"]),
        )
        for row in rows
        if row["Variant Price"]
    ]
    shop = shop_from_csv(path, clock)
    found = [
        (
            product["handle"],
            tuple(option["value"] for option in variant["selectedOptions"]),
            Decimal(variant["price"]),
            variant["compareAtPrice"] and Decimal(variant["compareAtPrice"]),
            variant["sku"],
            variant["inventoryQuantity"],
            variant["inventoryItem"]["tracked"],
        )
        for product in shop.all("products")
        for variant in product["variants"]
    ]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)
    assert [p["handle"] for p in shop.all("products")] == list(dict.fromkeys(row["Handle"] for row in rows))
    published = {row["Handle"]: row["Published"] == "true" for row in rows if row["Published"]}
    assert {p["handle"]: p["publishedAt"] is not None for p in shop.all("products")} == published
    pictures = {(row["Handle"], row["Image Src"]) for row in rows if row["Image Src"]}
    assert {(p["handle"], m["image"]["url"]) for p in shop.all("products") for m in p["media"]} == pictures
    bodies = {row["Handle"]: row["Body (HTML)"] for row in rows if row["Title"]}
    assert {p["handle"]: p["descriptionHtml"] for p in shop.all("products")} == bodies
