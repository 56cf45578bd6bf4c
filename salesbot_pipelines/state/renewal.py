"""Taking turns at renewing a shop's credential, across processes.

Shopify changes the refresh token at each use, so two that renew at once would each think the other's
pair a theft. The turn is a lease on the install's row; it is a courtesy, not the fence: what keeps an
older pair from overwriting a newer one is `Installs.store_credential`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from sqlalchemy import Engine, select, update

from salesbot_pipelines.errors import LeaseHeld, NotInstalled, StateError
from salesbot_pipelines.state.clock import Clock, is_live, read_clock
from salesbot_pipelines.state.tables import installs
from salesbot_pipelines.state.texts import clean
from salesbot_pipelines.state.transactions import writing

LONGEST_TURN_SECONDS = 300.0
_POLL_SECONDS = 0.05


@contextmanager
def renewal_turn(
    engine: Engine, clock: Clock, shop: str, holder: str, *, seconds: float, wait_seconds: float
) -> Iterator[None]:
    """Hold the shop's turn for up to `seconds` while the body runs.

    Raises `LeaseHeld` when another one still has it after `wait_seconds`, and `NotInstalled`.
    """
    if not 0 < seconds <= LONGEST_TURN_SECONDS:
        raise ValueError(f"a renewal is given up to {LONGEST_TURN_SECONDS:.0f} seconds")
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            epoch = _take(engine, clock, shop, holder, seconds)
            break
        except LeaseHeld:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        # A turn that cannot be given back runs out by itself; the body's own error matters more.
        with suppress(StateError):
            _give_back(engine, shop, epoch)


def _take(engine: Engine, clock: Clock, shop: str, holder: str, seconds: float) -> int:
    with writing(engine) as connection:
        row = connection.execute(select(installs).where(installs.c.shop == shop).with_for_update()).first()
        if row is None or row.status == "uninstalled":
            raise NotInstalled(f"{shop} is not installed")
        now = read_clock(connection, clock)
        if is_live(row.renewal_until, now, timedelta(seconds=LONGEST_TURN_SECONDS)):
            raise LeaseHeld(
                f"{row.renewal_holder} renews the credential of {shop}",
                holder=row.renewal_holder,
                until=row.renewal_until,
            )
        epoch: int = row.renewal_epoch + 1
        connection.execute(
            update(installs)
            .where(installs.c.shop == shop)
            .values(
                renewal_holder=clean(holder, 255),
                renewal_until=now + timedelta(seconds=seconds),
                renewal_epoch=epoch,
            )
        )
    return epoch


def _give_back(engine: Engine, shop: str, epoch: int) -> None:
    with writing(engine) as connection:
        connection.execute(
            update(installs)
            .where(installs.c.shop == shop, installs.c.renewal_epoch == epoch)
            .values(renewal_holder=None, renewal_until=None)
        )
