"""What a shopper chooses, and what a variant stands for."""

from __future__ import annotations

from typing import Any

from salesbot_pipelines.catalog.model import Option, OptionValue, SelectedOption
from salesbot_pipelines.catalog.normalise.raw import integer, text


def normalise_options(nodes: Any) -> list[Option]:
    """Return a product's options by position."""
    found = []
    for index, node in enumerate(nodes or ()):
        position = integer(node.get("position"))
        found.append(
            Option(
                name=node.get("name") or "",
                position=position if position is not None and position >= 1 else index + 1,
                values=_values(node),
            )
        )
    found.sort(key=lambda option: option.position)
    return found


def _values(node: dict[str, Any]) -> list[OptionValue]:
    values = node.get("optionValues")
    if values is None:
        return [OptionValue(id=None, label=label) for label in node.get("values") or ()]
    return [OptionValue(id=text(value.get("id")), label=value.get("name") or "") for value in values]


def normalise_selected_options(nodes: Any) -> list[SelectedOption]:
    """Return the choices of one variant, in the shop's order; Shopify's `value` is the label."""
    return [SelectedOption(label=node.get("value") or "", name=node.get("name") or "") for node in nodes or ()]
