"""The bulk operations that run at Shopify for one shop, as one lease sees them.

A row is written when an operation has been started and goes when a refresh has published, so a row that is there
was begun after everything that lies in the store. Who holds the shop claims all rows of it; from then on an older
run that still lives owns none of them. Each change locks the shop's row of `shop_work` first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, delete, insert, select, update

from salesbot_pipelines.errors import LeaseLost
from salesbot_pipelines.state.lease import Lease
from salesbot_pipelines.state.tables import bulk_operations
from salesbot_pipelines.state.transactions import writing
from salesbot_pipelines.state.work_rows import lock_ours


@dataclass(frozen=True)
class RememberedOperation:
    """One operation, and what its reading stands for.

    `wanted` and `newest_event` are those of the lease under which the reading began, `began_at` is when it did.
    """

    name: str
    gid: str
    digest: str
    wanted: int
    newest_event: int
    began_at: datetime


class RememberedOperations:
    """The operations of the lease's shop. Everything here is for the run that holds the lease."""

    def __init__(self, engine: Engine, lease: Lease) -> None:
        self._engine = engine
        self._lease = lease
        self._known: dict[str, RememberedOperation] = {}

    def recall(self) -> list[RememberedOperation]:
        """Claim every operation of the shop and return them. Raises `LeaseLost`."""
        with writing(self._engine) as connection:
            if lock_ours(connection, self._lease) is None:
                raise self._lost()
            connection.execute(update(bulk_operations).where(self._of_shop()).values(lease_epoch=self._lease.epoch))
            rows = connection.execute(
                select(bulk_operations).where(self._of_shop()).order_by(bulk_operations.c.name)
            ).all()
        found = [
            RememberedOperation(row.name, row.gid, row.digest, row.wanted, row.newest_event, row.began_at)
            for row in rows
        ]
        self._known |= {one.gid: one for one in found}
        return found

    def remember(self, name: str, gid: str, digest: str, began_at: datetime) -> None:
        """Write down an operation that this run has started, in place of an older one. Raises `LeaseLost`."""
        lease = self._lease
        one = RememberedOperation(name, gid, digest, lease.wanted, lease.newest_event, began_at)
        if not self._put(one):
            raise self._lost()
        self._known[gid] = one

    def release(self, gid: str) -> bool:
        """Forget an operation; say whether it was this run's, which may cancel it then."""
        with writing(self._engine) as connection:
            if lock_ours(connection, self._lease) is None:
                return False
            gone = connection.execute(delete(bulk_operations).where(self._ours(), bulk_operations.c.gid == gid))
        return gone.rowcount > 0

    def restore(self, gid: str) -> None:
        """Put back an operation that was released and could not be cancelled, if the shop is still this run's."""
        self._put(self._known[gid])

    def covered_by(self, lease: Lease, gids: Collection[str]) -> Lease:
        """Return the lease with what a document covers that is made of these operations' results.

        It covers what was wanted when the oldest of their readings began, and nothing later.
        """
        used = [self._known[gid] for gid in gids]
        return replace(
            lease,
            wanted=min([lease.wanted, *(one.wanted for one in used)]),
            newest_event=min([lease.newest_event, *(one.newest_event for one in used)]),
        )

    def _put(self, one: RememberedOperation) -> bool:
        with writing(self._engine) as connection:
            if lock_ours(connection, self._lease) is None:
                return False
            connection.execute(delete(bulk_operations).where(self._of_shop(), bulk_operations.c.name == one.name))
            connection.execute(
                insert(bulk_operations).values(
                    shop=self._lease.shop,
                    name=one.name,
                    gid=one.gid,
                    digest=one.digest,
                    lease_epoch=self._lease.epoch,
                    wanted=one.wanted,
                    newest_event=one.newest_event,
                    began_at=one.began_at,
                )
            )
        return True

    def _of_shop(self) -> ColumnElement[bool]:
        return bulk_operations.c.shop == self._lease.shop

    def _ours(self) -> ColumnElement[bool]:
        return and_(self._of_shop(), bulk_operations.c.lease_epoch == self._lease.epoch)

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"the lease {self._lease.epoch} of {self._lease.holder} on {self._lease.shop} is lost")
