"""Time per product of normalising, encoding and sealing (hashing), beside `orjson.loads` of the same raw line.

    python benchmarks/bench_normalise.py [--products 2000] [--chart FILE]

The ratios are what to compare between
machines; the microseconds are of this one. Every product is different, so the caches of money and times are used as
a real shop uses them.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import chart
import msgspec
import orjson
from machine import tell_load

from salesbot_pipelines.catalog.hashing import canonical_json, hash_form, seal_product
from salesbot_pipelines.catalog.model import Product
from salesbot_pipelines.catalog.normalise import Findings, ShopContext, normalise_product

TEXT = "soft light grey merino wool sweater for cold mornings and long walks by the northern sea "
WORDS = TEXT.split()


def raw_product(number: int) -> dict[str, object]:
    """Return a raw product as the paged query selects it: three variants, two pictures, three metafields."""
    moment = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:{number % 59:02}Z"
    body = " ".join(WORDS[(number + index) % len(WORDS)] for index in range(60))
    return {
        "id": f"gid://shopify/Product/{8_000_000_000_000 + number}",
        "title": f"Sweater No. {number}",
        "handle": f"sweater-no-{number}",
        "descriptionHtml": f"<p><strong>{body}</strong></p>\n<ul>\n<li>Wash &amp; dry</li>\n<li>{number} g</li></ul>",
        "status": "ACTIVE",
        "vendor": "Nordhaus",
        "productType": "Sweaters",
        "category": {"id": "gid://shopify/TaxonomyCategory/aa-1-13", "fullName": "Apparel & Accessories > Clothing"},
        "tags": ["wool", "winter", f"batch-{number % 40}"],
        "options": [
            {
                "id": f"gid://shopify/ProductOption/{number}",
                "name": "Size",
                "position": 1,
                "optionValues": [
                    {"id": f"gid://shopify/ProductOptionValue/{number * 3 + n}", "name": n} for n in range(3)
                ],
            }
        ],
        "variantsCount": {"count": 3, "precision": "EXACT"},
        "isGiftCard": False,
        "seo": {"title": None, "description": None},
        "onlineStoreUrl": f"https://nordhaus.example/products/sweater-no-{number}",
        "publishedAt": moment,
        "createdAt": moment,
        "updatedAt": moment,
        "media": [
            {
                "mediaContentType": "IMAGE",
                "alt": f"Sweater {number}",
                "preview": {"image": {"url": f"https://cdn.example/{number}-{n}.jpg", "width": 2000, "height": 2500}},
            }
            for n in range(2)
        ],
        "metafields": [
            {"namespace": "custom", "key": key, "type": "single_line_text_field", "value": f"{key} {number}"}
            for key in ("care", "fit", "origin")
        ],
        "variants": [
            {
                "id": f"gid://shopify/ProductVariant/{44_000_000_000_000 + number * 3 + n}",
                "title": size,
                "sku": f"NH-{number}-{size}",
                "barcode": f"{4_000_000_000_000 + number * 3 + n}",
                "position": n + 1,
                "price": f"{number % 900 + 20}.{number % 100:02}",
                "compareAtPrice": f"{number % 900 + 40}.00" if number % 5 == 0 else None,
                "availableForSale": True,
                "inventoryPolicy": "DENY",
                "taxable": True,
                "selectedOptions": [{"name": "Size", "value": size}],
                "createdAt": moment,
                "updatedAt": moment,
                "inventoryItem": {
                    "id": f"gid://shopify/InventoryItem/{46_000_000_000_000 + number * 3 + n}",
                    "tracked": True,
                    "requiresShipping": True,
                    "measurement": {"weight": {"unit": "KILOGRAMS", "value": 0.45}},
                },
            }
            for n, size in enumerate(("S", "M", "L"))
        ],
    }


def levels_of(item: str) -> dict[str, object]:
    """Return the raw stock of one item at two locations."""
    return {
        "id": item,
        "levels": [
            {
                "location": {"id": f"gid://shopify/Location/{n}"},
                "updatedAt": "2026-10-01T08:00:00Z",
                "quantities": [
                    {"name": name, "quantity": n * 4, "updatedAt": "2026-10-01T08:00:00Z"}
                    for name in ("available", "on_hand", "incoming")
                ],
            }
            for n in (1, 2)
        ],
        "incomplete": False,
    }


def consume(values: Iterable[object]) -> None:
    """Make every value and keep none, as a refresh does."""
    deque(values, maxlen=0)


def best_microseconds(products: int, run: Callable[[], object], rounds: int = 5) -> float:
    """Return the CPU time per product of the best round; the best one is the least disturbed."""
    times = []
    for _ in range(rounds):
        gc.collect()
        gc.freeze()  # a refresh streams: it never holds a whole catalogue for the collector to walk
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times) / products * 1e6


def draw(microseconds: dict[str, float], products: int, note: str, path: Path) -> None:
    """Draw each step as a multiple of the floor, which is the first of them."""
    figure, (axes,) = chart.new("What does a product cost beside parsing its raw line?", note)
    floor = next(iter(microseconds.values()))
    names = list(microseconds)
    drawn = axes.barh(
        names, [took / floor for took in microseconds.values()], color=[chart.FLOOR] + [chart.OURS] * (len(names) - 1)
    )
    axes.bar_label(drawn, [f"{took / floor:.1f} ({took:.0f} µs)" for took in microseconds.values()], padding=3)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.margins(x=0.25)
    axes.set_xlabel(f"processor time, multiples of orjson.loads ({products:,} products x 3 variants)")
    chart.save(figure, path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=2000)
    chart.add_option(parser)
    options = parser.parse_args()
    products = options.products
    note = tell_load()
    lines = [orjson.dumps(raw_product(number)) for number in range(products)]
    stock = {}
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    raws = [decoder.decode(line) for line in lines]
    for raw in raws:
        for variant in raw["variants"]:
            item = variant["inventoryItem"]["id"]
            stock[item] = levels_of(item)
    context = ShopContext(
        currency="EUR",
        url="https://nordhaus.example",
        domain="nordhaus.myshopify.com",
        location_names={"gid://shopify/Location/1": "Kiel", "gid://shopify/Location/2": "Lager"},
        is_published=lambda _: True,
    )
    findings = Findings()
    collection_ids = ["gid://shopify/Collection/12", "gid://shopify/Collection/3"]

    def normalise() -> Iterator[Product]:
        for raw in raws:
            yield normalise_product(raw, context, levels=stock.get, collection_ids=collection_ids, findings=findings)

    published = list(normalise())
    sealed = [seal_product(product) for product in published]
    assert findings.total == 0
    rows = {
        "orjson.loads of the raw line": lambda: consume(map(orjson.loads, lines)),
        "decode (msgspec, Decimal)": lambda: consume(map(decoder.decode, lines)),
        "normalise": lambda: consume(normalise()),
        "encode": lambda: consume(map(canonical_json, published)),
        "seal (encode and hash)": lambda: consume(map(seal_product, published)),
        "form for the revision": lambda: consume(map(hash_form, sealed)),
        "normalise and seal": lambda: consume(map(seal_product, normalise())),
    }
    size = sum(map(len, sealed)) / products
    raw_size = sum(map(len, lines)) / products
    print(f"{products} products x 3 variants; {raw_size:,.0f} bytes raw, {size:,.0f} bytes published")
    found: dict[str, float] = {}
    for name, run in rows.items():
        found[name] = took = best_microseconds(products, run)
        print(f"{name:32} {took:8.1f} us/product {took / next(iter(found.values())):7.2f} x orjson.loads")
    if options.chart:
        draw(found, products, note, options.chart)


if __name__ == "__main__":
    main()
