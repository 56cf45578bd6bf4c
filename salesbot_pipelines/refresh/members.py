"""Which collections a product is in, the other way round than collections tell it.

One temporary SQLite file, so that memory does not grow with the catalogue: filled once, then only read, by as many
processes as like to. Nothing needs it after a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from salesbot_pipelines.shopify.nodes import gid_number

_CACHE_KIB = 16 * 1024


class MembersWriter:
    """Fills the file; it can be read after `close`."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # Durability is worth nothing here: after a crash the file is thrown away.
        self._db.executescript(
            f"""
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
            PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA temp_store = FILE;
            CREATE TABLE members (
                product INTEGER, collection INTEGER, PRIMARY KEY (product, collection)
            ) WITHOUT ROWID;
            BEGIN;
            """
        )
        self._collections: set[int] = set()

    def put(self, collection_id: str, product_ids: Iterable[str]) -> None:
        """Note which products the collection names, in place of what an earlier line said."""
        collection = gid_number(collection_id)
        if collection in self._collections:
            self._db.execute("DELETE FROM members WHERE collection = ?", (collection,))
        self._collections.add(collection)
        rows = ((gid_number(product), collection) for product in product_ids)
        self._db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", rows)

    def close(self) -> None:
        """Finish the file."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._db.close()


class Members:
    """The finished file."""

    def __init__(self, path: Path) -> None:
        # Immutable: no lock is taken, for nobody writes any more.
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
        self._db.executescript(f"PRAGMA cache_size = -{_CACHE_KIB}; BEGIN;")

    def collection_ids(self, product: int) -> list[str]:
        """Give the gids of the product's collections, by number."""
        rows = self._db.execute("SELECT collection FROM members WHERE product = ? ORDER BY collection", (product,))
        return [f"gid://shopify/Collection/{number}" for (number,) in rows]

    def close(self) -> None:
        """Close the file; its folder is thrown away."""
        self._db.close()
