"""The folder a refresh works in: empty at its start, gone at its end, and what its disk refuses said in words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from salesbot_pipelines.errors import SalesbotError
from salesbot_pipelines.state.work import Lease


class WorkFolderFailed(SalesbotError):
    """The disk under the work folder is full, or failed."""

    retryable = True
    advice = "see that the disk under SALESBOT_HOME has room; the last good document stays"


@contextmanager
def work_folder(root: Path, lease: Lease) -> Iterator[Path]:
    """Give an empty folder and leave nothing: not after an error, and not of a run that was killed.

    Raises `WorkFolderFailed` for every error of the disk inside the block.
    """
    shop_folder = root / lease.shop
    folder = shop_folder / str(lease.epoch)
    try:
        shutil.rmtree(shop_folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        yield folder
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise WorkFolderFailed(f"{lease.shop}: the work folder failed: {reason}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            shop_folder.rmdir()
