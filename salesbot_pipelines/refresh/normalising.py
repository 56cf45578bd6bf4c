"""Raw products into the lines of `products.jsonl`, a batch at a time.

What becomes of a batch hangs on nothing but its lines and the task, so that any process may do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salesbot_pipelines.catalog.hashing import seal_product
from salesbot_pipelines.catalog.normalise import Findings, ShopContext, Unusable, is_sellable, normalise_product
from salesbot_pipelines.refresh.levels import Levels
from salesbot_pipelines.refresh.members import Members
from salesbot_pipelines.shopify.nodes import gid_number, node_of

_BATCH_BYTES = 512 * 1024


@dataclass(frozen=True)
class Task:
    """What holds for all products of one refresh."""

    levels: Path
    members: Path
    context: ShopContext
    statuses: frozenset[str]
    stock_was_read: bool


@dataclass
class Normalised:
    """What became of a batch: for each raw line its number, the line to publish (empty: none), and its variants."""

    numbers: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    variants: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    """Products taken away by a later line."""
    unusable: int = 0
    findings: Findings = field(default_factory=Findings)


def batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Cut lines into batches of half a megabyte."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def normalise_batch(task: Task, lines: list[bytes]) -> Normalised:
    """Normalise some raw products."""
    made = Normalised()
    with closing(Levels(task.levels)) as levels, closing(Members(task.members)) as members:
        for raw in lines:
            node = node_of(raw)
            number = gid_number(node["id"])
            line, variants = b"", 0
            if node.get("dropped"):
                made.dropped.append(number)
            elif is_sellable(node, task.statuses):
                line, variants = _product(node, task, levels, members.collection_ids(number), made)
            made.numbers.append(number)
            made.lines.append(line)
            made.variants.append(variants)
    return made


def _product(
    node: dict[str, Any], task: Task, levels: Levels, collection_ids: list[str], made: Normalised
) -> tuple[bytes, int]:
    """Make one product's line, or name the product that cannot be: it is missing with a word, not without."""

    def stock(item: str) -> dict[str, Any] | None:
        record = levels.of(item)
        if record is None and task.stock_was_read:  # deleted between its product's page and its own
            pointer = f"/products/{gid_number(node['id'])}/inventory"
            made.findings.add(pointer, "error", f"{item} was gone when stock was read")
        return record

    try:
        product = normalise_product(
            node, task.context, levels=stock, collection_ids=collection_ids, findings=made.findings
        )
    except Unusable as unusable:
        made.unusable += 1
        made.findings.add(unusable.pointer, "error", unusable.detail)
        return b"", 0
    return seal_product(product), len(product.variants)
