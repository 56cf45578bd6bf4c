"""Uninstalls and privacy requests are kept, in order, and decided one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from salesbot_pipelines.errors import StateError, WrongEncryptionKey
from salesbot_pipelines.state.control import ControlEvents
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.inbox import WebhookEvent
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.key_file import new_key
from salesbot_pipelines.state.rotation import abandon_lost_keys, rotate
from salesbot_pipelines.state.tables import control_events
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.state.conftest import TurnableClock

SHOP, OTHER, ABSENT = "one.myshopify.com", "two.myshopify.com", "absent.myshopify.com"
BODY = b'{"customer": {"email": "canary@example.com"}}'


def asked(webhook_id: str, shop: str = SHOP, topic: str = "customers/redact") -> WebhookEvent:
    return WebhookEvent(shop, topic, webhook_id, hashlib.sha256(BODY).hexdigest())


@pytest.fixture
def control(engine: Engine, keyring: Keyring, clock: TurnableClock, connect: Callable[..., None]) -> ControlEvents:
    connect(SHOP, OTHER)
    return ControlEvents(engine, keyring, clock)


def rows(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(control_events).order_by(control_events.c.seq)))


class TestAccepting:
    def test_a_request_is_kept_and_its_body_cannot_be_read(self, control: ControlEvents, engine: Engine) -> None:
        assert control.accept(asked("w1"), BODY) == "new"
        (listed,) = control.listed()
        assert (listed.shop, listed.topic, listed.webhook_id, listed.state) == (
            SHOP,
            "customers/redact",
            "w1",
            "pending",
        )
        assert control.body(listed.seq) == BODY
        assert "canary" not in str(tuple(rows(engine)[0]))

    def test_a_duplicate_is_kept_once(self, control: ControlEvents) -> None:
        assert [control.accept(asked("w1"), BODY) for _ in range(3)] == ["new", "duplicate", "duplicate"]
        assert len(control.listed()) == 1

    def test_an_uninstalled_shop_is_still_heard_and_an_unknown_one_is_not(
        self, control: ControlEvents, installs: Installs
    ) -> None:
        installs.uninstall(SHOP)
        assert control.accept(asked("w1", topic="shop/redact"), BODY) == "new"
        assert control.accept(asked("w1", ABSENT), BODY) == "unknown_shop"
        assert len(control.listed()) == 1

    def test_nothing_is_written_under_a_retired_key(self, control: ControlEvents, engine: Engine) -> None:
        with pytest.raises(WrongEncryptionKey):
            ControlEvents(engine, Keyring([new_key()])).accept(asked("w1"), BODY)
        assert control.listed() == []

    def test_a_body_pasted_to_another_shop_does_not_open(self, control: ControlEvents, engine: Engine) -> None:
        control.accept(asked("w1"), BODY)
        control.accept(asked("w1", OTHER), b"other")
        with writing(engine) as connection:
            connection.execute(update(control_events).values(body_encrypted=rows(engine)[0].body_encrypted))
        assert control.body(1) == BODY
        with pytest.raises(StateError, match=OTHER):
            control.body(2)


class TestDeciding:
    def test_a_shops_requests_come_one_by_one(self, control: ControlEvents) -> None:
        for webhook_id, shop in (("w1", SHOP), ("w2", SHOP), ("w3", OTHER)):
            control.accept(asked(webhook_id, shop), BODY)
        assert [event.webhook_id for event in control.next_ones()] == ["w1", "w3"]
        assert [event.webhook_id for event in control.next_ones(1)] == ["w1"]
        assert control.decide(1, "confirmed", "the token is dead")
        assert [event.webhook_id for event in control.next_ones()] == ["w1", "w3"]
        assert control.decide(1, "done", "deleted")
        assert [event.webhook_id for event in control.next_ones()] == ["w2", "w3"]
        assert control.decide(2, "quarantined", "the token lives")
        assert [event.webhook_id for event in control.next_ones()] == ["w3"]
        assert [event.webhook_id for event in control.listed("quarantined")] == ["w2"]

    def test_done_keeps_the_note_and_drops_the_body(self, control: ControlEvents, engine: Engine) -> None:
        control.accept(asked("w1"), BODY)
        assert control.decide(1, "done", "no customer data\nis held")
        (listed,) = control.listed("done")
        assert listed.note == "no customer data is held"
        assert listed.decided_at is not None
        assert control.body(1) is None
        assert rows(engine)[0].key_id is None
        assert control.accept(asked("w1"), BODY) == "duplicate"

    def test_two_that_decide_at_once_are_told_apart(self, control: ControlEvents) -> None:
        control.accept(asked("w1"), BODY)
        assert control.decide(1, "confirmed", "first")
        assert not control.decide(1, "confirmed", "second")
        assert control.decide(1, "done", "first")
        for state in ("confirmed", "quarantined", "done"):
            assert not control.decide(1, state, "late")
        assert control.listed()[0].note == "first"

    def test_a_person_may_confirm_what_was_put_aside(self, control: ControlEvents) -> None:
        control.accept(asked("w1"), BODY)
        assert control.decide(1, "quarantined", "probe said 200")
        assert control.body(1) == BODY
        assert control.decide(1, "confirmed", "asked the merchant")

    def test_it_goes_with_its_shop(self, control: ControlEvents, installs: Installs) -> None:
        control.accept(asked("w1"), BODY)
        installs.forget(SHOP)
        assert control.listed() == []
        assert control.body(1) is None
        assert not control.decide(1, "done", "late")


class TestKeys:
    def test_bodies_move_with_a_rotation(self, control: ControlEvents, engine: Engine, key: str) -> None:
        control.accept(asked("w1"), BODY)
        fresh = new_key()
        assert rotate(engine, Keyring([fresh, key])) == 3  # two credentials and a body
        assert ControlEvents(engine, Keyring([fresh])).body(1) == BODY

    def test_a_lost_key_puts_open_requests_aside(self, control: ControlEvents, engine: Engine) -> None:
        control.accept(asked("w1"), BODY)
        control.accept(asked("w2"), BODY)
        control.decide(1, "done", "deleted")
        ring = Keyring([new_key()])
        abandon_lost_keys(engine, ring)
        after = ControlEvents(engine, ring)
        assert [(event.state, event.note) for event in after.listed()] == [
            ("done", "deleted"),
            ("quarantined", "the encryption key of the body was lost"),
        ]
        assert after.body(2) is None
