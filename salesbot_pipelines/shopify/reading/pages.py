"""Walking a listing from its first page to its last, and asking for many objects by id.

The promise: each object comes once; a listing that does not move on is an error and no endless loop; no cursor is
followed so deep that Shopify would stop it. What is in a page is the readers' affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from salesbot_pipelines.errors import ShopifyUnavailable
from salesbot_pipelines.shopify.answers import Answer, AnswerTooLarge, CostTooHigh
from salesbot_pipelines.shopify.client import AdminClient, Variables
from salesbot_pipelines.shopify.queries import Query
from salesbot_pipelines.shopify.reading.holes import SectionUnread
from salesbot_pipelines.shopify.reading.ids import Numbers, number_of

WINDOW = 20_000
"""Objects read along one cursor. Paging ends at 25,000, counts too; beyond, a new window begins with `id:>last`.

https://shopify.dev/docs/api/usage/pagination-graphql
"""

_IDLE_PAGES = 2  # in a row without anything new; a page may be empty because all of it was deleted

Node = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One page of a connection, and the answer it came in."""

    answer: Answer = field(repr=False)
    nodes: list[Node] = field(repr=False)
    has_next: bool
    cursor: str | None


def page_at(answer: Answer, path: Sequence[str]) -> Page:
    """Return the connection at `path`; raise `SectionUnread` when it, or something above it, is null."""
    value: Any = answer.data
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(value.get("nodes"), list):
        raise SectionUnread(answer.denial(tuple(path)))
    info = value.get("pageInfo")
    if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
        # Taken for the last page it would cut the listing short without a word.
        raise SectionUnread(answer.denial(tuple(path)))
    return Page(answer, value["nodes"], info["hasNextPage"], info.get("endCursor"))


def walk(
    client: AdminClient,
    query: Query,
    root: str,
    seen: Numbers,
    variables: Variables | None = None,
    *,
    windows: bool = True,
) -> Iterator[tuple[Page, list[Node]]]:
    """Give page after page of a root listing, each with those of its nodes that are new; `seen` gets their numbers.

    Raises `SectionUnread` when the listing is null, `ShopifyUnavailable` when it goes round in circles.
    """
    after: str | None = None
    window = ""
    walked = highest = idle = 0
    while True:
        asked = {**(variables or {}), "after": after, **({"query": window or None} if windows else {})}
        asked["first"] = client.page_size(query, asked)
        answer = client.execute(query, asked, smaller=half_a_page)
        page = page_at(answer, (root,))
        client.costs.weigh(query, answer.size, len(page.nodes))
        fresh = [node for node in page.nodes if isinstance(node, dict) and seen.add(number_of(node.get("id")))]
        yield page, fresh
        if not page.has_next:
            return
        idle = 0 if fresh else idle + 1
        if page.cursor is None or page.cursor == after or idle > _IDLE_PAGES:
            raise does_not_move_on(client, query)
        walked += len(page.nodes)
        highest = max([highest, *(number_of(node["id"]) for node in fresh)])
        after = page.cursor
        if windows and walked >= WINDOW:
            window, after, walked = f"id:>{highest}", None, 0


def drain(
    client: AdminClient, query: Query, variables: Variables, path: Sequence[str], after: str | None
) -> Iterator[Page]:
    """Give the pages of one object's connection, beginning behind `after`, as long as it says that there is more."""
    while True:
        asked = {**variables, "after": after}
        asked["first"] = client.page_size(query, asked)
        page = page_at(client.execute(query, asked, smaller=half_a_page), path)
        yield page
        if not page.has_next:
            return
        if page.cursor is None or page.cursor == after:
            raise does_not_move_on(client, query)
        after = page.cursor


def by_ids(
    client: AdminClient, query: Query, ids: Sequence[str], variables: Variables | None = None
) -> Iterator[tuple[Answer, list[Node | None]]]:
    """Give the objects of `ids`, in their order and None for one that is gone, with the answer they came in.

    `nodes(ids:)` takes 250 at once; a heavy answer halves that. Raises `SectionUnread` when the objects are not told,
    or one of them is null by an error.
    """
    pending = list(ids)
    while pending:
        size = client.page_size(query, variables)
        chunk, pending = pending[:size], pending[size:]
        asked = {**(variables or {}), "ids": chunk}
        try:
            answer = client.execute(query, asked)
        except (CostTooHigh, AnswerTooLarge):
            if len(chunk) == 1:
                raise
            client.costs.too_much(query, asked)
            pending = chunk + pending
            continue
        nodes = answer.data.get("nodes")
        if not isinstance(nodes, list) or len(nodes) != len(chunk):
            raise SectionUnread(answer.denial(("nodes",)))
        _require_reasonless(answer, nodes)
        client.costs.weigh(query, answer.size, len(chunk))
        yield answer, nodes


def _require_reasonless(answer: Answer, nodes: list[Node | None]) -> None:
    """Raise `SectionUnread` for an object that is null by an error: it may well be there."""
    for problem in answer.problems:
        place = problem.path[1] if len(problem.path) > 1 and problem.path[0] == "nodes" else None
        if isinstance(place, int) and place < len(nodes) and nodes[place] is None:
            raise SectionUnread(problem)


def does_not_move_on(client: AdminClient, query: Query) -> ShopifyUnavailable:
    """Return the error for a listing that promises more and never gives it."""
    return ShopifyUnavailable(f"{client.shop}: the listing {query.name} does not move on", shop=client.shop)


def half_a_page(variables: Variables) -> Variables | None:
    """Ask for half as many objects; one is the least."""
    first = int(variables["first"])
    return {**variables, "first": first // 2} if first > 1 else None
