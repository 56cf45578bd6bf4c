"""What the commands share: the consoles, the opened program, and how numbers are written for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import load_settings

_UNBOUND = 160
"""The width of what is written to a file or a pipe, where nobody's window breaks a line."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _UNBOUND)
err = Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else _UNBOUND)


@contextmanager
def program() -> Iterator[Program]:
    """Open the program from the environment and close it."""
    opened = open_program(load_settings())
    try:
        yield opened
    finally:
        opened.close()


def size(count: int) -> str:
    """Write a number of bytes: 940 B, 12.3 kB, 4.5 MB."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def age(hours: float | None) -> str:
    """Write an age in hours: never, 40 s, 12 min, 3.1 h, 2.0 d."""
    if hours is None:
        return "never"
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"
