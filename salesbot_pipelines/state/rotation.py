"""Moving every secret to the newest key, under traffic; and starting over when a key is lost.

To rotate: put the new key in front of the old ones everywhere, start every process again, rotate,
then take the old ones away. Each row moves in its own transaction, so a rotation that was killed is
continued by the next one. The old key's check value goes last: until then it is still asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Engine, Table, case, delete, exists, select, update

from salesbot_pipelines.errors import StateError
from salesbot_pipelines.state.encryption import CONTROL_EVENT, CREDENTIAL, Keyring
from salesbot_pipelines.state.tables import control_events, encryption_keys, installs
from salesbot_pipelines.state.transactions import reading, writing

_BATCH = 200


@dataclass(frozen=True)
class _Secret:
    table: Table
    ciphertext: Column[str]
    purpose: str


SECRETS = (
    _Secret(installs, installs.c.credential, CREDENTIAL),
    _Secret(control_events, control_events.c.body_encrypted, CONTROL_EVENT),
)
"""Every column that holds ciphertext."""


def rotate(engine: Engine, keyring: Keyring) -> int:
    """Encrypt with the newest key whatever another one encrypted; return how many rows moved.

    Raises `WrongEncryptionKey` when a key in use is not at hand, and `StateError` naming the shops
    whose rows could not be read; everything else has moved by then.
    """
    keyring.ensure_key_check(engine)
    moved = 0
    while True:
        unreadable: list[str] = []
        for secret in SECRETS:
            moved += _rotate_all(engine, keyring, secret, unreadable)
        if unreadable:
            raise StateError(
                f"the rows of these shops could not be moved to the newest key: {', '.join(sorted(set(unreadable)))}",
                advice="connect these shops again, then rotate once more",
            )
        if _retire(engine, keyring):
            return moved


def abandon_lost_keys(engine: Engine, keyring: Keyring) -> list[str]:
    """Give up what no key can read any more: the way out when a key is lost for good.

    The shops whose credential goes are returned; each must open the app again. Everything else that
    is known of them stays. Bodies of control events go too, and those still open are quarantined.
    """
    with writing(engine) as connection:
        rows = connection.execute(select(encryption_keys)).all()
        lost = [row.key_id for row in rows if not keyring.can_read(row.check_value)]
        shops = connection.execute(
            select(installs.c.shop).where(installs.c.key_id.in_(lost)).order_by(installs.c.seq)
        ).scalars()
        abandoned = list(shops)
        connection.execute(
            update(installs)
            .where(installs.c.key_id.in_(lost))
            .values(
                credential=None,
                key_id=None,
                access_expires_at=None,
                refresh_expires_at=None,
                status="needs_reauth",
                reauth_reason="the encryption key was lost",
            )
        )
        connection.execute(
            update(control_events)
            .where(control_events.c.key_id.in_(lost))
            .values(
                body_encrypted=None,
                key_id=None,
                state=case((control_events.c.state == "done", "done"), else_="quarantined"),
                note="the encryption key of the body was lost",
            )
        )
        connection.execute(delete(encryption_keys).where(encryption_keys.c.key_id.in_(lost)))
        keyring.enter(connection)
    return abandoned


def _rotate_all(engine: Engine, keyring: Keyring, secret: _Secret, unreadable: list[str]) -> int:
    moved, last = 0, 0
    while numbers := _next_numbers(engine, keyring, secret, last):
        for number in numbers:
            with writing(engine) as connection:
                moved += _rotate_one(connection, keyring, secret, number, unreadable)
        last = numbers[-1]
    return moved


def _next_numbers(engine: Engine, keyring: Keyring, secret: _Secret, last: int) -> Sequence[int]:
    columns = secret.table.c
    with reading(engine) as connection:
        return connection.execute(
            select(columns.seq)
            .where(columns.key_id != keyring.primary_id, columns.seq > last)
            .order_by(columns.seq)
            .limit(_BATCH)
        ).scalars().all()  # fmt: skip


def _rotate_one(connection: Connection, keyring: Keyring, secret: _Secret, number: int, unreadable: list[str]) -> int:
    columns = secret.table.c
    row = connection.execute(
        select(columns.shop, secret.ciphertext).where(columns.seq == number).with_for_update()
    ).first()
    if row is None or row[1] is None:
        return 0  # uninstalled or forgotten meanwhile
    try:
        plaintext = keyring.decrypt(row.shop, row[1], purpose=secret.purpose)
    except StateError:
        unreadable.append(row.shop)
        return 0
    keyring.require_entered(connection)
    connection.execute(
        update(secret.table)
        .where(columns.seq == number)
        .values(
            {
                secret.ciphertext.name: keyring.encrypt(row.shop, plaintext, purpose=secret.purpose),
                "key_id": keyring.primary_id,
            }
        )
    )
    return 1


def _retire(engine: Engine, keyring: Keyring) -> bool:
    """Delete the old keys' check values; false when an older process has written under one meanwhile."""
    with writing(engine) as connection:
        # The lock waits for whoever is writing under an old key and shuts out the next one, so that
        # the question after it sees every such row.
        old = connection.execute(
            select(encryption_keys.c.key_id).where(encryption_keys.c.key_id != keyring.primary_id).with_for_update()
        ).scalars().all()  # fmt: skip
        for secret in SECRETS:
            if connection.execute(select(exists().where(secret.table.c.key_id.in_(old)))).scalar():
                return False
        connection.execute(delete(encryption_keys).where(encryption_keys.c.key_id.in_(old)))
    return True
