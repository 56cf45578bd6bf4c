"""The events that what lies in the store does not cover yet, for a refresh that reads only what they name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from salesbot_pipelines.state.lease import Lease
from salesbot_pipelines.state.tables import inbox
from salesbot_pipelines.state.transactions import reading


@dataclass(frozen=True)
class Unread:
    """Events by topic and gid (None where the event named nothing), each pair once.

    `unexplained` is how many marks no event left: a person's, an install's, a failed run's. `cut` says that there
    are more pairs than were asked for.
    """

    events: tuple[tuple[str, str | None], ...]
    unexplained: int
    cut: bool


def unread_events(engine: Engine, lease: Lease, *, most: int) -> Unread | None:
    """Give up to `most` of the events between the stored raw objects and the lease; None where nobody knows.

    Every event leaves one row and one mark in one transaction, so the two must agree to the last one; rows that
    were purged meanwhile count as marks that nothing explains.
    """
    if lease.events_read is None or lease.marks_read is None:
        return None
    between = (
        inbox.c.shop == lease.shop,
        inbox.c.seq > lease.events_read,
        inbox.c.seq <= lease.newest_event,
    )
    named = select(inbox.c.topic, inbox.c.resource_id).where(*between).distinct().limit(most + 1)
    with reading(engine) as connection:
        rows = connection.execute(select(func.count()).select_from(inbox).where(*between)).scalar_one()
        events = [(row.topic, row.resource_id) for row in connection.execute(named)]
    return Unread(tuple(events[:most]), lease.wanted - lease.marks_read - rows, cut=len(events) > most)
