"""The wire, healthy and broken, over a real socket."""

from __future__ import annotations

import time

import httpx
import pytest

QUERY = "query Shelf { products(first: 3) { nodes { id variants(first: 2) { nodes { id price } } } } shop { name } }"


def test_an_answer_names_its_version_and_the_log_tells_the_call(client, sandbox):
    answer = client.post(QUERY)
    assert answer.headers["x-shopify-api-version"] == "2026-10"
    assert client.post(QUERY, version="2025-04").headers["x-shopify-api-version"] == "2026-01"
    assert client.post(QUERY, version="latest").status_code == 404
    first = sandbox.calls.of("small.myshopify.com")[0]
    cost = answer.json()["extensions"]["cost"]
    assert (first.operation, first.status, first.outcome) == ("Shelf", 200, "ok")
    assert (first.requested, first.actual) == (cost["requestedQueryCost"], cost["actualQueryCost"])
    assert first.available_before == 2000
    assert client.token not in repr(sandbox.calls.of())


def test_the_wrong_token_and_the_wrong_shop(client, shop):
    assert client.post(QUERY, token="shpat_wrong").status_code == 401
    assert client.post(QUERY, token="").status_code == 401
    shop.freeze(423)
    assert client.post(QUERY).status_code == 423
    shop.thaw()
    assert client.post(QUERY).status_code == 200
    client.address = client.address.replace("small", "no-such")
    assert client.post(QUERY).status_code == 404


def test_the_nth_call_of_an_operation_is_spoiled_and_no_other(client, sandbox):
    sandbox.faults.add("status", operation="Shelf", nth=2, times=2, status=503)
    other = QUERY.replace("Shelf", "Other")
    statuses = [client.post(q).status_code for q in (QUERY, other, QUERY, other, QUERY, QUERY)]
    assert statuses == [200, 200, 503, 200, 503, 200]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 423, 500, 502, 503])
def test_any_status(client, sandbox, status):
    sandbox.faults.add("status", status=status)
    assert client.post(QUERY).status_code == status


def test_throttled_comes_with_200_and_429_with_a_wait(client, sandbox):
    sandbox.faults.add("throttled")
    assert client.ask(QUERY)["errors"][0]["extensions"]["code"] == "THROTTLED"
    sandbox.faults.add("http_429", seconds=2)
    answer = client.post(QUERY)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    sandbox.faults.add("drain")
    assert client.ask(QUERY)["errors"][0]["message"] == "Throttled"
    sandbox.faults.add("max_cost")
    assert client.ask(QUERY)["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_connections_break(client, sandbox):
    sandbox.faults.add("disconnect")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post(QUERY)
    sandbox.faults.add("truncate")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"):
        client.post(QUERY)
    assert client.post(QUERY).status_code == 200


def test_answers_that_are_none(client, sandbox):
    sandbox.faults.add("html")
    assert "text/html" in client.post(QUERY).headers["content-type"]
    sandbox.faults.add("broken_json")
    with pytest.raises(ValueError):
        client.post(QUERY).json()
    sandbox.faults.add("not_object")
    assert client.post(QUERY).json() == ["data", None]
    sandbox.faults.add("errors_only", message="Internal error")
    assert set(client.ask(QUERY)) == {"errors"}
    sandbox.faults.add("redirect", location="http://127.0.0.1:1/elsewhere")
    assert client.post(QUERY).headers["location"] == "http://127.0.0.1:1/elsewhere"
    sandbox.faults.add("wrong_version", version="2026-04")
    assert client.post(QUERY).headers["x-shopify-api-version"] == "2026-04"


def test_slow_answers_are_true(client, sandbox):
    sandbox.faults.add("slow", seconds=0.2)
    begun = time.monotonic()
    assert client.data(QUERY)["shop"]
    assert time.monotonic() - begun >= 0.2


def test_a_null_takes_its_parent_along_up_to_where_one_may_be(client, sandbox):
    sandbox.faults.add("partial", path="products.nodes.1.variants")
    body = client.ask(QUERY)
    assert body["data"] is None
    assert body["errors"][0]["path"] == ["products", "nodes", 1, "variants"]
    sandbox.faults.add("partial", path=["nodes", "*", "category"], required_access="read_taxonomy", times=1)
    body = client.ask(
        '{ nodes(ids: ["gid://shopify/Product/8000000000000", "gid://shopify/Product/8000000000032"]) '
        "{ id ... on Product { category { id } } } shop { name } }"
    )
    assert [node["category"] for node in body["data"]["nodes"]] == [None, None]
    assert [error["path"] for error in body["errors"]] == [["nodes", 0, "category"], ["nodes", 1, "category"]]
    assert body["errors"][0]["extensions"]["requiredAccess"] == "`read_taxonomy` access scope."


def test_the_world_changes_between_two_pages(client, sandbox, shop):
    ids = [node["id"] for node in shop.all("products")]
    sandbox.faults.add(
        "change", operation="Page", nth=2, change={"verb": "delete_product", "arguments": {"product": ids[25]}}
    )
    sandbox.faults.add("change", operation="Page", nth=2, change=lambda at: at.create_product("Latecomer"))
    page = """query Page($after: String) {
      products(first: 20, after: $after) { nodes { id title } pageInfo { endCursor } } }"""
    first = client.data(page)["products"]
    second = client.data(page, {"after": first["pageInfo"]["endCursor"]})["products"]["nodes"]
    assert [node["id"] for node in first["nodes"]] == ids[:20]
    assert [node["id"] for node in second][:-1] == ids[20:25] + ids[26:]
    assert second[-1]["title"] == "Latecomer"


def test_a_missing_scope_is_refused_where_it_is_needed(client, shop):
    shop.grant(["write_products"])
    body = client.ask("{ inventoryItems(first: 1) { nodes { id } } shop { name } }")
    assert body["data"] is None
    assert body["errors"] == [
        {
            "message": "Access denied for inventoryItems field. Required access: `read_inventory` access scope.",
            "locations": [{"line": 1, "column": 3}],
            "extensions": {
                "code": "ACCESS_DENIED",
                "documentation": "https://shopify.dev/api/usage/access-scopes",
                "requiredAccess": "`read_inventory` access scope.",
            },
            "path": ["inventoryItems"],
        }
    ]
    product = client.data(
        "{ products(first: 1) { nodes { id variants(first: 1) { nodes { inventoryItem { id tracked } } } } } }"
    )
    item = product["products"]["nodes"][0]["variants"]["nodes"][0]["inventoryItem"]["id"]
    assert client.ask(f'{{ node(id: "{item}") {{ ... on InventoryItem {{ id tracked }} }} }}')["data"]["node"][
        "tracked"
    ]
    body = client.ask('{ discountNode(id: "gid://shopify/DiscountNode/60000000001") { id } shop { name } }')
    assert body["data"] == {"discountNode": None, "shop": {"name": shop.node["name"]}}
    body = client.ask('{ node(id: "gid://shopify/DiscountNode/60000000001") { id } }')
    assert body["data"] == {"node": None}
    assert body["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_the_control_plane_does_the_same_from_outside(server, http, client, shop):
    at = f"{server.url}/_sandbox"
    told = http.get(f"{at}/shops").json()["shops"][0]
    assert told["token"] == shop.token
    assert told["counts"]["products"] == 30
    added = http.post(f"{at}/faults", json={"action": "status", "status": 502, "shop": shop.domain})
    assert added.status_code == 201
    assert client.post(QUERY).status_code == 502
    assert http.get(f"{at}/calls?shop={shop.domain}").json()["calls"][-1]["fault"] == "status"
    assert http.delete(f"{at}/faults").json() == {"faults": []}
    assert http.delete(f"{at}/calls").json() == {"calls": []}
    assert http.post(f"{at}/faults", json={"action": "explode"}).status_code == 400
    variant = shop.all("products")[0]["variants"][0]["id"]
    change = {"verb": "set_price", "arguments": {"variant": variant, "price": "3.33"}}
    assert http.post(f"{at}/shops/{shop.domain}/change", json=change).status_code == 200
    assert shop.all("products")[0]["variants"][0]["price"] == "3.33"
    assert http.post(f"{at}/shops/{shop.domain}/change", json={"verb": "__init__"}).status_code == 400
    assert http.post(f"{at}/shops/nobody.myshopify.com/change", json=change).status_code == 404
