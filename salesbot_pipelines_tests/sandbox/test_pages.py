"""The pages a person sees."""

from __future__ import annotations

import re


def test_the_index_lists_shops_and_changes_a_price(server, http, shop):
    shop.update_product(shop.all("products")[0]["id"], title="<script>alert(1)</script>")
    page = http.get(f"{server.url}/")
    assert "small.myshopify.com" in page.text
    assert "<b>30</b> products" in page.text
    assert shop.token in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert http.get(f"{server.url}/_sandbox/style.css").headers["content-type"].startswith("text/css")
    variant = re.search(r'name="variant" value="([^"]+)"', page.text)[1]
    at = f"{server.url}/_sandbox/shops/{shop.domain}/price"
    assert http.post(at, data={"variant": variant, "price": "19.75"}).headers["location"] == f"/#{shop.domain}"
    assert shop.all("products")[0]["variants"][0]["price"] == "19.75"
    assert 'value="19.75"' in http.get(f"{server.url}/").text
    assert http.post(at, data={"variant": variant, "price": "cheap"}).status_code == 400
    assert http.post(at, data={"variant": "1", "price": "1"}).status_code == 404
    foreign = http.post(at, data={"variant": variant, "price": "1"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
