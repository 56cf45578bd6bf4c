"""Bulk operations: the written rules, the lines, the life of an operation and its faults."""

from __future__ import annotations

import json

import httpx
import pytest

from salesbot_pipelines.sandbox.bulk import BulkRules
from salesbot_pipelines.sandbox.bulk_rules import complaints

START = """mutation Start($query: String!, $group: Boolean!) {
  bulkOperationRunQuery(query: $query, groupObjects: $group) {
  bulkOperation { id status objectCount url } userErrors { field message code } } }"""
POLL = """query Poll($id: ID!) { bulkOperation(id: $id) {
  id status errorCode objectCount rootObjectCount fileSize url partialDataUrl completedAt } }"""
CANCEL = """mutation Cancel($id: ID!) { bulkOperationCancel(id: $id) {
  bulkOperation { status } userErrors { message } } }"""
GOODS = """{ products { edges { node { __typename id title
  variants { edges { node { __typename id price inventoryItem { id } } } }
  media { edges { node { __typename id ... on MediaImage { image { url } } } } } } } } }"""


def start(client, query=GOODS, *, group=False):
    return client.data(START, {"query": query, "group": group})["bulkOperationRunQuery"]


def poll(client, id_):
    return client.data(POLL, {"id": id_})["bulkOperation"]


def finish(client, query=GOODS, *, group=False):
    begun = start(client, query, group=group)
    assert begun["userErrors"] == []
    assert begun["bulkOperation"]["status"] == "CREATED"
    return poll(client, begun["bulkOperation"]["id"])


def lines(http, operation):
    answer = http.get(operation["url"])
    assert answer.status_code == 200
    assert len(answer.content) == int(operation["fileSize"])
    return [json.loads(line) for line in answer.text.splitlines()]


NESTED = "{ edges { node { id %s } } }"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            "{ products { nodes { id } } }",
            "All connection fields in a bulk query must select their contents using "
            "'edges' > 'node', e.g: 'products { edges { node {'. Selecting via 'nodes' is not supported. "
            "Invalid connection fields: 'products'.",
        ),
        ("{ shop { id } }", "Bulk queries must contain at least one connection."),
        (
            "mutation { bulkOperationCancel(id: 1) { userErrors { message } } }",
            "Invalid operation type. Only `query` operations are supported.",
        ),
        (
            "{ products { edges { node { id variants { edges { node { id } } } metafields { edges { node { id } } } "
            "collections { edges { node { id } } } media { edges { node { id } } } "
            "m: media { edges { node { id } } } } } } }",
            "Bulk queries cannot contain more than 5 connections.",
        ),
        (
            "{ collections { edges { node { id products { edges { node { id variants { edges { node { id "
            "metafields { edges { node { id } } } } } } } } } } } } }",
            "Bulk queries cannot contain connections with a nesting depth greater than 2.",
        ),
        (
            "{ products { edges { node { title variants { edges { node { id } } } } } } }",
            "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be "
            "of 'ID' return type. Connection fields without 'id': products.",
        ),
        (
            "{ collections { edges { node { id sources { ... on CollectionConditionsSource "
            "{ products { edges { node { id } } } } } } } } }",
            "Queries that contain a connection field within a list field are not currently supported.",
        ),
        (
            '{ node(id: "gid://shopify/Product/1") { id } products { edges { node { id } } } }',
            "Bulk queries cannot contain a top level `node` field.",
        ),
        (
            "{ products { edges { node { nope } } } }",
            "Invalid bulk query: Field 'nope' doesn't exist on type 'Product'",
        ),
    ],
)
def test_what_the_rules_refuse(client, query, text):
    begun = start(client, query)
    assert begun["bulkOperation"] is None
    assert {"field": ["query"], "message": text, "code": "INVALID"} in begun["userErrors"]


def test_what_the_rules_allow():
    assert complaints(GOODS) == []
    assert (
        complaints(
            "{ discountNodes { edges { node { id discount { ... on DiscountCodeBasic { customerGets { items "
            "{ ... on DiscountProducts { products { edges { node { id } } } } } } } } } } } }"
        )
        == []
    )
    assert (
        complaints(
            "{ inventoryItems { edges { node { id inventoryLevels { edges { node { id location { id } "
            'quantities(names: ["available"]) { name quantity } } } } } } } }'
        )
        == []
    )


@pytest.mark.parametrize("group", [False, True])
def test_every_node_is_a_line_and_names_its_parent(client, http, shop, group):
    operation = finish(client, group=group)
    assert operation["status"] == "COMPLETED"
    found = lines(http, operation)
    assert operation["objectCount"] == str(len(found)) == str(30 + 30 * 3 + 30)
    assert operation["rootObjectCount"] == "30"
    roots = [line for line in found if "__parentId" not in line]
    assert [line["id"] for line in roots] == [node["id"] for node in shop.all("products")]
    assert all("variants" not in line and "media" not in line for line in roots)
    seen = set()
    for line in found:
        assert "__parentId" not in line or line["__parentId"] in seen
        seen.add(line["id"] if "__parentId" not in line else None)
    first = shop.all("products")[0]
    children = [line for line in found if line.get("__parentId") == first["id"]]
    assert [c["id"] for c in children if c["__typename"] == "ProductVariant"] == [v["id"] for v in first["variants"]]
    assert [c["image"] for c in children if c["__typename"] == "MediaImage"] == [
        {"url": first["media"][0]["image"]["url"]}
    ]
    adjacent = found[1].get("__parentId") == found[0]["id"]
    assert adjacent is group


def test_no_rows_and_no_scope(client, shop):
    empty = finish(client, '{ products(query: "id:1") { edges { node { id } } } }')
    assert (empty["status"], empty["objectCount"], empty["url"]) == ("COMPLETED", "0", None)
    shop.grant(["read_products"])
    denied = finish(client, "{ discountNodes { edges { node { id } } } }")
    assert (denied["status"], denied["errorCode"], denied["url"]) == ("FAILED", "ACCESS_DENIED", None)


def test_a_life_by_the_clock(client, http, sandbox, clock):
    sandbox.bulk.rules = BulkRules(created_seconds=5, run_seconds=20, cancel_seconds=60)
    id_ = start(client)["bulkOperation"]["id"]
    assert poll(client, id_)["status"] == "CREATED"
    clock.advance(6)
    assert poll(client, id_)["status"] == "RUNNING"
    clock.advance(20)
    done = poll(client, id_)
    assert done["status"] == "COMPLETED"
    assert done["completedAt"] == "2026-11-23T12:00:26Z"
    assert client.data(CANCEL, {"id": id_})["bulkOperationCancel"]["userErrors"]
    assert http.get(done["url"]).status_code == 200
    clock.advance(7 * 86_400 + 1)
    assert http.get(done["url"]).status_code == 400
    assert http.get(done["url"] + "x").status_code == 400


def test_five_at_once_and_a_cancelled_one(client, sandbox, clock):
    sandbox.bulk.rules = BulkRules(run_seconds=100, cancel_seconds=10)
    ids = [start(client)["bulkOperation"]["id"] for _ in range(5)]
    refused = start(client)
    assert refused["bulkOperation"] is None
    assert refused["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    assert refused["userErrors"][0]["field"] is None
    assert all(id_ in refused["userErrors"][0]["message"] for id_ in ids)
    running = '{ bulkOperations(first: 10, query: "status:running operation_type:query") { nodes { id } } }'
    assert len(client.data(running)["bulkOperations"]["nodes"]) == 5
    assert client.data(CANCEL, {"id": ids[0]})["bulkOperationCancel"]["bulkOperation"]["status"] == "CANCELING"
    clock.advance(11)
    assert poll(client, ids[0])["status"] == "CANCELED"
    assert start(client)["userErrors"] == []


def test_refused_failed_stuck(client, sandbox, http, clock):
    add = sandbox.faults.add
    add("bulk_denied")
    body = client.ask(START, {"query": GOODS, "group": False})
    assert body["data"] == {"bulkOperationRunQuery": None}
    assert body["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    add("bulk_failed", code="TIMEOUT", partial=True)
    failed = finish(client)
    assert (failed["status"], failed["errorCode"], failed["url"]) == ("FAILED", "TIMEOUT", None)
    assert http.get(failed["partialDataUrl"]).status_code == 200
    add("bulk_canceled")
    assert finish(client)["status"] == "CANCELED"
    add("bulk_stuck")
    stuck = finish(client)
    clock.advance(86_400)
    assert poll(client, stuck["id"])["status"] == "RUNNING"


def test_results_that_lie(client, sandbox, http):
    add = sandbox.faults.add
    add("bulk_truncated", count=2)
    cut = lines(http, finish(client))
    assert sum(line["__typename"] == "ProductVariant" for line in cut) == 60
    add("bulk_wrong_count", count=-7)
    wrong = finish(client)
    assert int(wrong["objectCount"]) == len(lines(http, wrong)) - 7
    add("bulk_shuffled")
    mixed = lines(http, finish(client))
    assert "__parentId" in mixed[0] or "__parentId" in mixed[1]
    assert len(mixed) == 150
    add("bulk_no_url")
    lost = finish(client)
    assert (lost["status"], lost["objectCount"], lost["url"]) == ("COMPLETED", "150", None)
    add("bulk_bad_line")
    assert not http.get(finish(client)["url"]).text.endswith("}\n")


def test_downloads_break(client, sandbox, http):
    done = finish(client)
    whole = http.get(done["url"]).content
    sandbox.faults.add("truncate", operation="bulk_download", count=1000)
    with http.stream("GET", done["url"]) as answer:
        pieces = answer.iter_raw()
        got = next(pieces)
        with pytest.raises(httpx.RemoteProtocolError, match="complete message"):
            got += b"".join(pieces)
    assert whole.startswith(got)
    assert len(got) <= 1000
    sandbox.faults.add("status", status=403, operation="bulk_download")
    assert http.get(done["url"]).status_code == 403
    assert http.get(done["url"]).content == whole
