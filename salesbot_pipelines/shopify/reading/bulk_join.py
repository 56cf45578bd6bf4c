"""Products put together from the lines of bulk results: plain functions over files, for any process to do.

First each result's lines are spread over parts, by product, or by variant where a line names only that (`spread`);
then what went by variant goes to its product's part (`join_far`); then each part is joined (`join_part`), which reads
its files and leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

from salesbot_pipelines.shopify.reading.bulk_lines import (
    Line,
    Order,
    heads_in,
    named,
    number_of_kind,
    read_lines,
)
from salesbot_pipelines.shopify.reading.bulk_part import Headed, Joined, Part
from salesbot_pipelines.shopify.reading.scatter import Scatter, cuts_for, parts_for, read_part, remove_part

MAIN, MEDIA = "products", "variant_media"
_NEAR, _FAR, _OWNERS = "near-{}", "far-{}", "owners"


@dataclass(frozen=True)
class Spread:
    """Where the lines of one shop's product results lie, and what each part begins with; `more` are further results.

    Lines that name only a variant lie in parts of their own until `join_far`.
    """

    folder: Path
    shop: str
    cuts: tuple[int, ...]
    variant_cuts: tuple[int, ...]
    more: tuple[str, ...]

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self.cuts) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The results' names."""
        return MAIN, MEDIA, *self.more


def cut(folder: Path, shop: str, results: Mapping[str, Path]) -> Spread:
    """Say how to spread the results."""
    parts = parts_for(sum(path.stat().st_size for path in results.values()))
    return Spread(
        folder=folder,
        shop=shop,
        cuts=cuts_for(results[MAIN], parts, partial(number_of_kind, "Product")),
        variant_cuts=cuts_for(results[MAIN], parts, partial(number_of_kind, "ProductVariant")),
        more=tuple(name for name in results if name not in (MAIN, MEDIA)),
    )


def spread(where: Spread, name: str, path: Path, lines: int) -> bool:
    """Spread a result of so many lines; say whether they stood in order. Raise `BulkFailed` when it is not whole."""
    folder = where.folder
    near = Scatter(folder, _NEAR.format(name), where.cuts, anew=True)
    far = Scatter(folder, _FAR.format(name), where.variant_cuts, anew=True)
    owners = Scatter(folder, _OWNERS, where.variant_cuts, anew=True) if name == MAIN else None
    order = Order()
    for line in read_lines(path, lines, where.shop):
        if owners is not None:
            order.note(line)
        _put(line, near, far, owners)
    for scatter in filter(None, (near, far, owners)):
        scatter.close()
    return order.kept


def _put(line: Line, near: Scatter, far: Scatter, owners: Scatter | None) -> None:
    """Put a line where its product or variant will be looked for."""
    number, parent, parent_kind, head, raw = line
    is_variant = head.kind == "ProductVariant"
    if head.kind == "Product":
        near.put(number, raw)
    elif parent_kind == "Product":
        if not is_variant or owners is not None:
            near.put(parent, raw)
        if is_variant and owners is not None:
            owners.put(number, b"%d %d\n" % (number, parent))
    elif product := named(head.product.id)[0] if head.product else 0:
        near.put(product, raw)
    else:
        variant = number if is_variant else parent
        far.put(variant, b"%d %s" % (variant, raw))


def join_far(where: Spread) -> None:
    """Move what belongs to variants to their products."""
    folder = where.folder
    near = {name: Scatter(folder, _NEAR.format(name), where.cuts) for name in where.names}
    for part in range(len(where.variant_cuts) + 1):
        owners = {
            int(variant): int(product) for variant, product in map(bytes.split, read_part(folder, _OWNERS, part))
        }
        for name in where.names:
            for line in read_part(folder, _FAR.format(name), part):
                number, _, raw = line.partition(b" ")
                product = owners.get(int(number))
                if product is not None:  # else a variant made after the products were listed
                    near[name].put(product, raw)
            remove_part(folder, _FAR.format(name), part)
        remove_part(folder, _OWNERS, part)
    for scatter in near.values():
        scatter.close()


def join_part(where: Spread, ordered: bool, part: int) -> list[Joined]:
    """Join the lines of some products, and give them in order; raise `BulkFailed` when a line is broken."""
    lines = {name: _lines_of(read_part(where.folder, _NEAR.format(name), part), where.shop) for name in where.names}
    more = [lines[name] for name in where.more]
    return sorted(Part(lines[MAIN], lines[MEDIA], more).joined(ordered=ordered), key=attrgetter("number"))


def _lines_of(lines: list[bytes], shop: str) -> list[Headed]:
    return list(zip(heads_in(lines, shop), lines, strict=True))


def remove_joined(where: Spread, part: int) -> None:
    """Remove a part that is done with."""
    for name in where.names:
        remove_part(where.folder, _NEAR.format(name), part)
