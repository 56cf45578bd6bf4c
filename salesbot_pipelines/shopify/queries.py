"""The GraphQL documents under `queries/`, each with the fragments it names, ready to be sent.

The promise: every document is valid for the API versions we may be set to, asks for no deprecated field and for
nothing about customers or margins. What is asked is written in the .graphql files alone; here they are only put
together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

_FOLDER = Path(__file__).with_name("queries")
_SPREAD = re.compile(r"\.\.\.([A-Z]\w*)")
_NAMESPACE = "namespace0"
_VARIABLES = re.compile(r"\(\s*(\$namespace0: String!\s*)?\)")
_METAFIELD_SIZE = re.compile(r"\$\w*[mM]etafieldsFirst:")  # a variable nobody uses is an error


@dataclass(frozen=True, eq=False)
class Query:
    """One document; `fixed` are variables that belong to it and not to a call."""

    name: str
    text: str = field(repr=False)
    fixed: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def variables(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the variables to send: the fixed ones and those given for this call."""
        return {**self.fixed, **(given or {})}


@cache
def load(name: str) -> Query:
    """Return `queries/<name>.graphql` with its fragments; raises FileNotFoundError for an unknown name."""
    text = _without_comments((_FOLDER / f"{name}.graphql").read_text(encoding="utf-8"))
    parts, wanted = {"": text}, _SPREAD.findall(text)
    while wanted:
        fragment = wanted.pop()
        if fragment not in parts:
            path = _FOLDER / "fragments" / f"{fragment}.graphql"
            parts[fragment] = _without_comments(path.read_text(encoding="utf-8"))
            wanted.extend(_SPREAD.findall(parts[fragment]))
    return Query(name, "\n".join(parts.values()))


@cache
def load_for(name: str, namespaces: tuple[str, ...]) -> Query:
    """Return a document that reads metafields, asking once for each namespace.

    Shopify's `metafields(namespace:)` takes one namespace, so a line of the file that names `namespace0` is written
    again for every further one, under its own alias and variable.
    """
    lines: list[str] = []
    for line in load(name).text.splitlines():
        if _NAMESPACE in line:
            lines.extend(_numbered(line, number) for number in range(len(namespaces)))
        elif namespaces or not _METAFIELD_SIZE.search(line):
            lines.append(line)
    fixed = {f"namespace{number}": namespace for number, namespace in enumerate(namespaces)}
    return Query(name, "\n".join(lines), MappingProxyType(fixed))


def bulk_text(name: str, namespace: str | None = None) -> str:
    """Return a document as the text of a bulk operation, which takes no variables; None reads no metafields."""
    text = load_for(name, () if namespace is None else (namespace,)).text
    text = _VARIABLES.sub("", text, count=1)
    return text.replace(f"${_NAMESPACE}", json.dumps(namespace))


def names() -> list[str]:
    """Return the names of all documents."""
    return sorted(path.stem for path in _FOLDER.glob("*.graphql"))


def _numbered(line: str, number: int) -> str:
    return line.replace(_NAMESPACE, f"namespace{number}").replace("metafields0", f"metafields{number}")


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")) + "\n"
