"""Rows of `shop_work`: locked, judged to be a lease's own, and written. What the changes mean is `work`'s affair."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from salesbot_pipelines.errors import NotInstalled
from salesbot_pipelines.state.lease import LONGEST_LEASE, Lease
from salesbot_pipelines.state.tables import inbox, installs, shop_work

GIVEN_BACK: dict[str, Any] = {"lease_owner": None, "lease_until": None}


def require_length(seconds: float) -> None:
    """Raise `ValueError` for a lease that no run may have."""
    if not 0 < seconds <= LONGEST_LEASE.total_seconds():
        raise ValueError(f"a lease is given for up to {LONGEST_LEASE.total_seconds():.0f} seconds")


def is_ours(lease: Lease) -> ColumnElement[bool]:
    """Give the condition that the lease has not been lost."""
    return and_(
        shop_work.c.shop == lease.shop,
        shop_work.c.lease_epoch == lease.epoch,
        shop_work.c.lease_owner == lease.holder,
    )


def lock(connection: Connection, shop: str) -> Row[Any]:
    """Lock the shop's row and return it. Raises `NotInstalled`."""
    row = connection.execute(select(shop_work).where(shop_work.c.shop == shop).with_for_update()).first()
    if row is None:
        raise NotInstalled(f"{shop} is not installed")
    return row


def lock_ours(connection: Connection, lease: Lease) -> Row[Any] | None:
    """Lock the shop's row and return it; None when the lease was lost."""
    return connection.execute(select(shop_work).where(is_ours(lease)).with_for_update()).first()


def newest_event(connection: Connection, shop: str) -> int:
    """Return the number of the shop's newest event, 0 if there is none.

    With the shop's row locked it agrees with `wanted`: `Inbox.accept` locks that row before it inserts.
    """
    found: int | None = connection.execute(select(func.max(inbox.c.seq)).where(inbox.c.shop == shop)).scalar()
    return found or 0


def require_connected(connection: Connection, shop: str) -> None:
    """Raise `NotInstalled` for a shop whose app was removed."""
    status = connection.execute(select(installs.c.status).where(installs.c.shop == shop)).scalar()
    if status == "uninstalled":
        raise NotInstalled(f"{shop} is not installed")


def put(connection: Connection, shop: str, **values: Any) -> None:
    """Write columns of the shop's row."""
    connection.execute(update(shop_work).where(shop_work.c.shop == shop).values(**values))
