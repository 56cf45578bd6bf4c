"""Making plain lists of a node's connections, and saying which of them go on."""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.shopify.reading.holes import mark_incomplete

Node = dict[str, Any]


def flatten(node: Node, name: str) -> str | None:
    """Replace a connection by the list of its nodes; return the cursor it goes on at, None when it is whole.

    A connection that is null is unknown: it becomes an empty list that the node's `incomplete` names.
    """
    value = node.get(name)
    try:  # nearly every connection is whole, and there are several for each variant of a shop
        if value["pageInfo"]["hasNextPage"] is False and None not in value["nodes"]:  # type: ignore[index]
            node[name] = value["nodes"]  # type: ignore[index]
            return None
    except (TypeError, KeyError):
        pass
    nodes = value.get("nodes") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(nodes, list):
        node[name] = []
        mark_incomplete(node, name)
        return None
    node[name] = nodes
    if None in nodes:
        node[name] = [entry for entry in nodes if entry is not None]
        mark_incomplete(node, name)
    info = value.get("pageInfo")
    if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
        mark_incomplete(node, name)
        return None
    if info["hasNextPage"] and not info.get("endCursor"):
        mark_incomplete(node, name)
        return None
    return info["endCursor"] if info["hasNextPage"] else None


def flatten_metafields(node: Node, namespaces: int) -> dict[int, str]:
    """Join the aliases of all namespaces into one list; return the cursors of those that go on, by namespace."""
    joined: list[Node] = []
    more: dict[int, str] = {}
    for number in range(namespaces):
        alias = f"metafields{number}"
        cursor = flatten(node, alias)
        joined += node.pop(alias)
        if cursor is not None:
            more[number] = cursor
    node["metafields"] = joined
    unread = node.get("incomplete")
    if unread and any(name.startswith("metafields") for name in unread):
        node["incomplete"] = [name for name in unread if not name.startswith("metafields")] + ["metafields"]
    return more


def exact(count: Any) -> int | None:
    """Return a `Count` when it is exact: beyond its limit Shopify only says `AT_LEAST`."""
    if not isinstance(count, dict) or count.get("precision") != "EXACT":
        return None
    value = count.get("count")
    return value if isinstance(value, int) and not isinstance(value, bool) else None
