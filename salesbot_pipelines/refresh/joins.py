"""What must be looked up across entities, kept on disk so that memory does not grow with the catalogue.

Inventory levels come by inventory item, variants by product; collections name their products, products
their collections. Both directions meet in one temporary SQLite file: filled once, then only read, by as many
processes as like to. Nothing needs it after a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

_CACHE_KIB = 16 * 1024


class _Named(msgspec.Struct, gc=False):
    id: str


class JoinsWriter:
    """Fills the file; it can be read after `close`."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # Durability is worth nothing here: after a crash the file is thrown away.
        self._db.executescript(
            f"""
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
            PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA temp_store = FILE;
            CREATE TABLE levels (item INTEGER PRIMARY KEY, record BLOB NOT NULL);
            CREATE TABLE members (
                product INTEGER, collection INTEGER, PRIMARY KEY (product, collection)
            ) WITHOUT ROWID;
            BEGIN;
            """
        )
        self._id_of = msgspec.json.Decoder(_Named).decode
        self._collections: set[int] = set()

    def add_levels(self, lines: Iterable[bytes]) -> None:
        """Keep each raw inventory item as it is written; the last line of an item stays."""
        rows = ((gid_number(self._id_of(line).id), line) for line in lines)
        self._db.executemany("INSERT OR REPLACE INTO levels VALUES (?, ?)", rows)

    def put_members(self, collection_id: str, product_ids: Iterable[str]) -> None:
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


class Joins:
    """The finished file: levels by inventory item, collections by product."""

    def __init__(self, path: Path) -> None:
        # Immutable: no lock is taken, for nobody writes any more.
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
        self._db.executescript(f"PRAGMA cache_size = -{_CACHE_KIB}; BEGIN;")
        self._decode = msgspec.json.Decoder(float_hook=Decimal).decode

    def levels(self, inventory_item_id: str) -> dict[str, Any] | None:
        """Give the item's stock as the normalisers take it, or None when none was read."""
        row = self._db.execute(
            "SELECT record FROM levels WHERE item = ?", (gid_number(inventory_item_id),)
        ).fetchone()
        if row is None:
            return None
        node = self._decode(row[0])
        return {
            "id": node["id"],
            "incomplete": "inventoryLevels" in (node.get("incomplete") or ()),
            "levels": node.get("inventoryLevels") or [],
        }

    def collection_ids(self, product: int) -> list[str]:
        """Give the gids of the product's collections, by number."""
        rows = self._db.execute("SELECT collection FROM members WHERE product = ? ORDER BY collection", (product,))
        return [f"gid://shopify/Collection/{number}" for (number,) in rows]

    def close(self) -> None:
        """Close the file; its folder is thrown away."""
        self._db.close()


def gid_number(gid: str) -> int:
    """Give the digits of `gid://shopify/Type/123?query` as a number.

    Raises `ValueError` for anything else.
    """
    return int(gid.partition("?")[0].rpartition("/")[2])
