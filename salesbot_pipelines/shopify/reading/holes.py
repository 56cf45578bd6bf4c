"""What could not be read, collected until it becomes the document's omissions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.shopify.answers import Answer, Problem


class SectionUnread(Exception):
    """A whole section is unknown: the field that lists it is null. Never leaves the reading."""

    def __init__(self, problem: Problem | None) -> None:
        super().__init__(problem.message if problem else "")
        self.problem = problem


class Holes:
    """The omissions so far, one for each section and reason."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Omission] = {}

    def add(self, section: str, reason: str, detail: str) -> None:
        """Name a section that is missing or has gaps."""
        self._found.setdefault((section, reason), Omission(section=section, reason=reason, detail=detail or None))

    def add_problem(self, section: str, problem: Problem | None) -> None:
        """Name a section by what Shopify said of it."""
        if problem is None:
            self.add(section, "error", "Shopify gave null and no reason")
        elif problem.denied:
            self.add(section, "access_denied", problem.required_access or problem.message)
        else:
            self.add(section, "error", " ".join(filter(None, (problem.code, problem.message))))

    def all(self) -> tuple[Omission, ...]:
        """Return the omissions, in the order of their sections."""
        return tuple(self._found[key] for key in sorted(self._found))


def mark_incomplete(node: dict[str, Any], *names: str) -> None:
    """Say on the node itself which of its connections are not whole."""
    for name in names:
        known = node.setdefault("incomplete", [])
        if name not in known:
            known.append(name)


def mark_holes(
    answer: Answer, path: Sequence[str], nodes: Sequence[dict[str, Any] | None], holes: Holes, section: str
) -> None:
    """Pass on the problems that struck single nodes of the list at `path`: to the node and to the omissions.

    `path` leads to the list itself: ("products", "nodes") for a page, ("nodes",) for objects asked by id.
    """
    depth = len(path)
    for problem in answer.problems:
        if tuple(problem.path[:depth]) != tuple(path) or len(problem.path) < depth + 2:
            continue
        place, *below = problem.path[depth:]
        name = _plain(next((step for step in below if isinstance(step, str)), ""))
        holes.add_problem(f"{section}.{name}", problem)
        node = nodes[place] if isinstance(place, int) and place < len(nodes) else None
        if node is not None:
            mark_incomplete(node, name)


def _plain(name: str) -> str:
    """Metafields are asked under one alias a namespace."""
    return "metafields" if name.startswith("metafields") else name
