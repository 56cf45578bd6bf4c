"""Keeping due shops from being asked for twice: between the sensor's tick and the start of the run it asked for.

A reservation is only a time before which a shop is not due again. It needs no giving back: a refresh that ends sets
its own, and one that never starts lets it run out, so the shop is asked for once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine, update

from salesbot_pipelines.state.clock import Clock, is_past, read_clock
from salesbot_pipelines.state.retries import LONGEST_WAIT
from salesbot_pipelines.state.tables import shop_work
from salesbot_pipelines.state.transactions import writing
from salesbot_pipelines.state.work import Due


def reserve(engine: Engine, clock: Clock, due: Sequence[Due], *, seconds: float) -> list[Due]:
    """Reserve the shops and give those that are ours: another sensor or a run may have been faster."""
    reserved = []
    with writing(engine) as connection:
        now = read_clock(connection, clock)
        until = now + timedelta(seconds=seconds)
        for one in sorted(due, key=lambda one: one.shop):  # the same order everywhere: no deadlock
            taken = connection.execute(
                update(shop_work)
                .where(
                    shop_work.c.shop == one.shop,
                    shop_work.c.lease_epoch == one.epoch,
                    shop_work.c.attempts == one.attempts,
                    # Not "before our own end": a reservation made a moment ago ends before ours too.
                    is_past(shop_work.c.next_try_at, now, LONGEST_WAIT),
                )
                .values(next_try_at=until)
            )
            if taken.rowcount:
                reserved.append(one)
    return [one for one in due if one in reserved]
