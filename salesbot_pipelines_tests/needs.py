"""What a test needs that is not on every machine: programs, and material that belongs to others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mount a disk of so many MiB on a new folder; skip the test where this user or machine may not."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True, text=True)
        refusal = mounted.stderr.strip() if mounted.returncode else ""
    except FileNotFoundError:
        refusal = "there is no program mount"
    if refusal:
        do_without(
            f"a full disk is a small one that is mounted for the test, which was refused ({refusal}): run as root"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
