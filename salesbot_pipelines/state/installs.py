"""Which shops are connected, whose they are, and what opens them.

An install is one row and changes in one transaction, so there is never a token without an owner or a
connected shop without work. The owner is given once and outlives uninstalling; only `forget` ends it.
Credentials are encrypted (`encryption.py`) and replaced only by whoever saw the one replaced.

Locks are taken in the order installs, shop_work, encryption_keys, here and everywhere in this room.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from salesbot_pipelines.errors import NeedsReauth, NotInstalled
from salesbot_pipelines.state.clock import Clock, SystemClock, read_clock
from salesbot_pipelines.state.credentials import Credential, CredentialKind
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.forgetting import forget_rows, last_epoch
from salesbot_pipelines.state.marking import mark_wanted
from salesbot_pipelines.state.renewal import renewal_turn
from salesbot_pipelines.state.tables import bulk_operations, installs, oauth_states, sessions, shop_work
from salesbot_pipelines.state.texts import clean
from salesbot_pipelines.state.transactions import reading, writing

__all__ = ["Credential", "Install", "InstallStatus", "Installs"]

InstallStatus = Literal["installed", "needs_reauth", "uninstalled"]


@dataclass(frozen=True)
class Install:
    """One shop's connection; free of secrets."""

    shop: str
    owner: str
    status: InstallStatus
    kind: CredentialKind
    scopes: tuple[str, ...]
    installed_at: datetime
    updated_at: datetime
    reauth_reason: str | None
    access_expires_at: datetime | None
    refresh_expires_at: datetime | None

    @property
    def is_connected(self) -> bool:
        """True until the shop is uninstalled; a shop that needs a new login is still connected."""
        return self.status != "uninstalled"


class Installs:
    """The installs of every shop."""

    def __init__(self, engine: Engine, keyring: Keyring, clock: Clock | None = None) -> None:
        self._engine = engine
        self._keyring = keyring
        self._clock = clock or SystemClock()

    def connect(
        self, shop: str, credential: Credential, *, owner: str | None = None, scopes: Sequence[str] = ()
    ) -> Install:
        """Store a shop's credential, make it installed, and want its first refresh, in one transaction.

        A shop that was here before keeps its owner whatever `owner` says; a new one without `owner`
        gets a random one. Parked work gets a new chance. `ValueError` if `owner` is no UUID.
        """
        owner = str(uuid.UUID(owner)) if owner else str(uuid.uuid4())
        with writing(self._engine) as connection:
            self._make_rows(connection, shop, owner, credential.kind)
            connection.execute(select(installs.c.seq).where(installs.c.shop == shop).with_for_update())
            connection.execute(select(shop_work.c.shop).where(shop_work.c.shop == shop).with_for_update())
            now = read_clock(connection, self._clock)
            self._put(connection, shop, credential, now, status="installed", installed_at=now, reauth_reason=None)
            self._put_scopes(connection, shop, scopes)
            connection.execute(
                update(shop_work)
                .where(shop_work.c.shop == shop)
                .values(attempts=0, next_try_at=None, parked=False, last_error=None)
            )
            mark_wanted(connection, {shop: 1}, now)
            return _install(connection.execute(select(installs).where(installs.c.shop == shop)).one())

    def find(self, shop: str) -> Install | None:
        """Return the shop's install, uninstalled ones included, or None."""
        with reading(self._engine) as connection:
            row = connection.execute(select(installs).where(installs.c.shop == shop)).first()
        return _install(row) if row else None

    def require(self, shop: str) -> Install:
        """Return the connected shop's install. Raises `NotInstalled`."""
        found = self.find(shop)
        if found is None or not found.is_connected:
            raise NotInstalled(f"{shop} is not installed")
        return found

    def all(self, status: InstallStatus | None = None) -> list[Install]:
        """Return every install, or those of a status, in the order in which they first came."""
        query = select(installs).order_by(installs.c.seq)
        if status is not None:
            query = query.where(installs.c.status == status)
        with reading(self._engine) as connection:
            return [_install(row) for row in connection.execute(query)]

    def connected(self) -> list[Install]:
        """Return the installs that are not uninstalled, in the order in which they first came."""
        return [install for install in self.all() if install.is_connected]

    def credential(self, shop: str) -> Credential:
        """Return the shop's credential.

        Raises `NotInstalled`, `NeedsReauth` when it was given up, `WrongEncryptionKey`, and
        `StateError` when the row is another shop's.
        """
        with reading(self._engine) as connection:
            row = connection.execute(
                select(installs.c.status, installs.c.credential, installs.c.reauth_reason).where(
                    installs.c.shop == shop
                )
            ).first()
        if row is None or row.status == "uninstalled":
            raise NotInstalled(f"{shop} is not installed")
        if row.credential is None:
            raise NeedsReauth(f"{shop} has no credential: {row.reauth_reason}", shop=shop)
        return self._open(shop, row.credential)

    def store_credential(
        self, shop: str, credential: Credential, *, replaces: str, scopes: Sequence[str] | None = None
    ) -> bool:
        """Replace the credential whose access token is `replaces`; return False when another one is stored.

        So a pair that came late never overwrites the pair that was made from a newer token: read the
        stored one and use that. Raises `NotInstalled`.
        """
        with writing(self._engine) as connection:
            row = self._lock(connection, shop)
            if not self._holds(shop, row, replaces):
                return False
            self._put(connection, shop, credential, read_clock(connection, self._clock))
            if scopes is not None:
                self._put_scopes(connection, shop, scopes)
        return True

    @contextmanager
    def credential_lease(
        self, shop: str, holder: str, seconds: float, *, wait_seconds: float | None = None
    ) -> Iterator[Credential]:
        """Be the only one to renew the shop's credential; the body gets the credential stored now.

        Compare it with the one that was refused: while this call waited, another process may have
        renewed it. Raises `LeaseHeld` after `wait_seconds` (`seconds` by default), `NotInstalled`.
        """
        patience = seconds if wait_seconds is None else wait_seconds
        with renewal_turn(self._engine, self._clock, shop, holder, seconds=seconds, wait_seconds=patience):
            yield self.credential(shop)

    def mark_needs_reauth(self, shop: str, reason: str, *, rejected: str | None = None) -> bool:
        """Note that only the merchant can help; return False when nothing was changed.

        `rejected` is the access token that Shopify refused: when another one is stored by now (the
        merchant came back meanwhile), the mark is not set.
        """
        with writing(self._engine) as connection:
            row = self._lock(connection, shop)
            if rejected is not None and not self._holds(shop, row, rejected):
                return False
            self._set(connection, shop, status="needs_reauth", reauth_reason=clean(reason, 500))
        return True

    def clear_reauth(self, shop: str) -> None:
        """Take that mark away: the credential works after all. Raises `NotInstalled`."""
        with writing(self._engine) as connection:
            row = self._lock(connection, shop)
            if row.credential is not None:
                self._set(connection, shop, status="installed", reauth_reason=None)

    def uninstall(self, shop: str, *, probed: str | None = None) -> bool:
        """Remove the shop's credential and sessions and end its lease; the owner and the dates stay.

        `probed` is the access token that Shopify was seen to refuse: when another one is stored by
        now, the shop has been installed again and nothing happens. Returns whether the shop was
        uninstalled now.
        """
        with writing(self._engine) as connection:
            row = connection.execute(select(installs).where(installs.c.shop == shop).with_for_update()).first()
            if row is None or row.status == "uninstalled":
                return False
            if probed is not None and not self._holds(shop, row, probed):
                return False
            # A run in progress holds an older epoch from here on, so it cannot publish any more.
            connection.execute(
                update(shop_work)
                .where(shop_work.c.shop == shop)
                .values(lease_epoch=shop_work.c.lease_epoch + 1, lease_owner=None, lease_until=None, unclean=True)
            )
            self._set(
                connection,
                shop,
                status="uninstalled",
                credential=None,
                key_id=None,
                access_expires_at=None,
                refresh_expires_at=None,
                reauth_reason=None,
                renewal_holder=None,
                renewal_until=None,
            )
            for table in (sessions, oauth_states, bulk_operations):
                connection.execute(delete(table).where(table.c.shop == shop))
        return True

    def forget(self, shop: str, *, note: str = "", unless_connected: bool = False) -> bool:
        """Delete every row of the shop but one line of audit; return whether there was an install.

        With `unless_connected` a shop that is connected (again) is left alone.
        """
        with writing(self._engine) as connection:
            row = connection.execute(select(installs).where(installs.c.shop == shop).with_for_update()).first()
            if row is None or (unless_connected and row.status != "uninstalled"):
                return False
            forget_rows(connection, shop, read_clock(connection, self._clock), note)
        return True

    def _make_rows(self, connection: Connection, shop: str, owner: str, kind: CredentialKind) -> None:
        """Make the rows of a shop that is new here; leave those of a known one as they are."""
        insert_row = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        now = read_clock(connection, self._clock)
        connection.execute(
            insert_row(installs)
            .values(
                shop=shop, owner=owner, status="installed", kind=kind, scopes="", installed_at=now, updated_at=now
            )
            .on_conflict_do_nothing()
        )
        # Fencing numbers go on where a forgotten shop's ended: a run from before must not match.
        epoch = last_epoch(connection, shop)
        connection.execute(insert_row(shop_work).values(shop=shop, lease_epoch=epoch).on_conflict_do_nothing())

    def _put(self, connection: Connection, shop: str, credential: Credential, now: datetime, **more: object) -> None:
        self._keyring.require_entered(connection)
        self._set(
            connection,
            shop,
            now,
            kind=credential.kind,
            credential=self._keyring.encrypt(shop, credential.to_bytes()),
            key_id=self._keyring.primary_id,
            access_expires_at=credential.expires_at,
            refresh_expires_at=credential.refresh_expires_at,
            **more,
        )

    def _put_scopes(self, connection: Connection, shop: str, scopes: Sequence[str]) -> None:
        text = " ".join(sorted({scope for scope in scopes if scope}))
        connection.execute(update(installs).where(installs.c.shop == shop).values(scopes=text))

    def _set(self, connection: Connection, shop: str, now: datetime | None = None, **values: object) -> None:
        moment = now or read_clock(connection, self._clock)
        connection.execute(update(installs).where(installs.c.shop == shop).values(updated_at=moment, **values))

    def _lock(self, connection: Connection, shop: str) -> Row[Any]:
        row = connection.execute(select(installs).where(installs.c.shop == shop).with_for_update()).first()
        if row is None or row.status == "uninstalled":
            raise NotInstalled(f"{shop} is not installed")
        return row

    def _open(self, shop: str, ciphertext: str) -> Credential:
        return Credential.from_bytes(self._keyring.decrypt(shop, ciphertext))

    def _holds(self, shop: str, row: Row[Any], access_token: str) -> bool:
        return row.credential is not None and self._open(shop, row.credential).access_token == access_token


def _install(row: Row[Any]) -> Install:
    return Install(
        shop=row.shop,
        owner=row.owner,
        status=row.status,
        kind=row.kind,
        scopes=tuple(row.scopes.split()),
        installed_at=row.installed_at,
        updated_at=row.updated_at,
        reauth_reason=row.reauth_reason,
        access_expires_at=row.access_expires_at,
        refresh_expires_at=row.refresh_expires_at,
    )
