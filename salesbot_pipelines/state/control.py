"""Uninstalls and privacy requests: few, destructive, and taken one by one in the order they came.

They are never coalesced and never lost. A request is pending until it has been confirmed (by a probe
of the shop's token, say) or put aside for a person; its body may name a customer, so it is encrypted
and goes when the request is done. The line itself stays as the note of what was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from salesbot_pipelines.state.clock import Clock, SystemClock, read_clock
from salesbot_pipelines.state.encryption import CONTROL_EVENT, Keyring
from salesbot_pipelines.state.inbox import Acceptance, WebhookEvent
from salesbot_pipelines.state.tables import control_events, installs
from salesbot_pipelines.state.texts import clean
from salesbot_pipelines.state.transactions import reading, writing

ControlState = Literal["pending", "confirmed", "quarantined", "done"]

_STEPS: dict[ControlState, tuple[ControlState, ...]] = {
    "confirmed": ("pending", "quarantined"),
    "quarantined": ("pending", "confirmed"),
    "done": ("pending", "confirmed", "quarantined"),
}
"""From which states each decision may be taken."""


@dataclass(frozen=True)
class ControlEvent:
    """One request; its body is asked for by `ControlEvents.body`."""

    seq: int
    shop: str
    topic: str
    webhook_id: str
    received_at: datetime
    state: ControlState
    decided_at: datetime | None
    note: str | None


class ControlEvents:
    """The requests of every shop."""

    def __init__(self, engine: Engine, keyring: Keyring, clock: Clock | None = None) -> None:
        self._engine = engine
        self._keyring = keyring
        self._clock = clock or SystemClock()

    def accept(self, event: WebhookEvent, body: bytes) -> Acceptance:
        """Store a request durably. One of a shop that never was here, or was forgotten, is not kept.

        An uninstalled shop's is: its redaction comes two days after it left.
        """
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        with writing(self._engine) as connection:
            known = connection.execute(
                select(installs.c.shop).where(installs.c.shop == event.shop).with_for_update(read=True)
            ).first()
            if known is None:
                return "unknown_shop"
            self._keyring.require_entered(connection)
            new = connection.execute(
                insert(control_events)
                .values(
                    shop=event.shop,
                    topic=event.topic,
                    webhook_id=event.webhook_id,
                    body_encrypted=self._keyring.encrypt(event.shop, body, purpose=CONTROL_EVENT),
                    key_id=self._keyring.primary_id,
                    received_at=read_clock(connection, self._clock),
                    state="pending",
                )
                .on_conflict_do_nothing()
                .returning(control_events.c.seq)
            ).first()
        return "new" if new else "duplicate"

    def next_ones(self, limit: int = 100) -> list[ControlEvent]:
        """Return each shop's oldest request that is pending or confirmed, oldest first.

        A shop's next one shows up when that has been done or put aside.
        """
        first = (
            select(func.min(control_events.c.seq))
            .where(control_events.c.state.in_(("pending", "confirmed")))
            .group_by(control_events.c.shop)
        )
        query = select(control_events).where(control_events.c.seq.in_(first)).order_by(control_events.c.seq)
        with reading(self._engine) as connection:
            return [_event(row) for row in connection.execute(query.limit(limit))]

    def listed(self, state: ControlState | None = None) -> list[ControlEvent]:
        """Return all requests, or those of a state, in the order they came."""
        query = select(control_events).order_by(control_events.c.seq)
        if state is not None:
            query = query.where(control_events.c.state == state)
        with reading(self._engine) as connection:
            return [_event(row) for row in connection.execute(query)]

    def body(self, seq: int) -> bytes | None:
        """Return a request's body, or None once it is done. Raises `WrongEncryptionKey`."""
        with reading(self._engine) as connection:
            row = connection.execute(
                select(control_events.c.shop, control_events.c.body_encrypted).where(control_events.c.seq == seq)
            ).first()
        if row is None or row.body_encrypted is None:
            return None
        return self._keyring.decrypt(row.shop, row.body_encrypted, purpose=CONTROL_EVENT)

    def decide(self, seq: int, state: Literal["confirmed", "quarantined", "done"], note: str) -> bool:
        """Take a request a step further, and say why.

        Returns False when that step does not lead from where the request is, or when it is gone
        with its shop: somebody else has been here, so nothing may be done on the strength of it.
        """
        body = {"body_encrypted": None, "key_id": None} if state == "done" else {}
        with writing(self._engine) as connection:
            moved = connection.execute(
                update(control_events)
                .where(control_events.c.seq == seq, control_events.c.state.in_(_STEPS[state]))
                .values(state=state, note=clean(note, 500), decided_at=read_clock(connection, self._clock), **body)
            )
        return moved.rowcount == 1


def _event(row: Row[Any]) -> ControlEvent:
    return ControlEvent(
        seq=row.seq,
        shop=row.shop,
        topic=row.topic,
        webhook_id=row.webhook_id,
        received_at=row.received_at,
        state=row.state,
        decided_at=row.decided_at,
        note=row.note,
    )
