"""What a test needs that is not on every machine: programs, and material that belongs to others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

_BESIDE = Path(__file__).resolve().parents[2]


def do_without(reason: str) -> NoReturn:
    """Skip the test for want of something on this machine; fail it where CI=true promises that it is there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"this must be tested here: {reason}")
    pytest.skip(reason)


def need_material(path: Path, what: str) -> None:
    """Skip the test unless a file or folder of others lies beside the checkout."""
    if not path.exists():
        place = f"../{path.relative_to(_BESIDE)}"
        pytest.skip(f"{what} belongs to others and is no part of this project: put a copy at {place}")
