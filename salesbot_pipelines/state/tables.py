"""Every table, as SQLAlchemy metadata.

`migrations/` builds the same schema step by step; a test compares the two on both databases.
A schema change is a new migration, the same change here, and a new `SCHEMA_REVISION`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

SCHEMA_REVISION = "0003"
"""The newest migration, by which `check_schema` judges without importing Alembic."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware moment: timestamptz on PostgreSQL, text in UTC on SQLite, which has no such type.

    The text has a fixed width, so that comparing it compares the moments.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment: nobody knows which one it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give back an aware moment in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


# SQLite numbers rows by itself only in a column of exactly this type; a bigint on PostgreSQL.
_Number = BigInteger().with_variant(Integer(), "sqlite")


encryption_keys = Table(
    "encryption_keys",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("check_value", Text, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    comment="one row per key that encrypted something; the keys themselves are never stored",
)

installs = Table(
    "installs",
    metadata,
    Column("seq", _Number, Identity(), primary_key=True),
    Column("shop", String(255), nullable=False, unique=True),
    Column("owner", String(36), nullable=False),
    Column("status", String(16), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("installed_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("reauth_reason", Text),
    Column("credential", Text),
    # The key must stand in encryption_keys: so a process that was started before a rotation cannot
    # write under a key that the rotation has retired.
    Column("key_id", ForeignKey("encryption_keys.key_id")),
    Column("access_expires_at", UtcTime),
    Column("refresh_expires_at", UtcTime),
    Column("renewal_holder", String(255)),
    Column("renewal_until", UtcTime),
    Column("renewal_epoch", _Number, nullable=False, server_default=text("0")),
    CheckConstraint("status IN ('installed', 'needs_reauth', 'uninstalled')", name="status"),
    CheckConstraint("kind IN ('pair', 'client_credentials', 'static')", name="kind"),
    CheckConstraint("(credential IS NULL) = (key_id IS NULL)", name="credential_has_key"),
    CheckConstraint("status <> 'uninstalled' OR credential IS NULL", name="uninstalled_has_none"),
    sqlite_autoincrement=True,
)

shop_work = Table(
    "shop_work",
    metadata,
    Column("shop", ForeignKey("installs.shop"), primary_key=True),
    # Counters and not row ids: the row's lock orders the writers of one shop, so there is no order
    # between transactions to get wrong.
    Column("wanted", _Number, nullable=False, server_default=text("0")),
    Column("done", _Number, nullable=False, server_default=text("0")),
    Column("wanted_since", UtcTime),
    Column("lease_owner", String(255)),
    Column("lease_until", UtcTime),
    Column("lease_epoch", _Number, nullable=False, server_default=text("0")),
    Column("leased_at", UtcTime),
    Column("unclean", Boolean, nullable=False, server_default=false()),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", UtcTime),
    Column("parked", Boolean, nullable=False, server_default=false()),
    Column("last_error", Text),
    Column("last_trigger", String(255)),
    Column("last_fetched_at", UtcTime),
    Column("last_published_at", UtcTime),
    Column("last_checked_at", UtcTime),
    Column("revision", String(255)),
    # What the stored raw objects cover: the inbox up to this row, and so many marks. NULL: nobody knows.
    Column("events_read", _Number),
    Column("marks_read", _Number),
    Column("last_full_at", UtcTime),
    CheckConstraint("done <= wanted", name="done_within_wanted"),
    CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="lease_whole"),
)

bulk_operations = Table(
    "bulk_operations",
    metadata,
    # Not of `installs`: that row would be locked after the one of shop_work, against the order of locks.
    Column("shop", ForeignKey("shop_work.shop"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("gid", String(255), nullable=False),
    Column("digest", String(64), nullable=False),
    # Whose it is now; the rest is of the lease under which the reading began.
    Column("lease_epoch", _Number, nullable=False),
    Column("wanted", _Number, nullable=False),
    Column("newest_event", _Number, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    comment="what runs at Shopify for a reading that has not published",
)

inbox = Table(
    "inbox",
    metadata,
    Column("seq", _Number, Identity(), primary_key=True),
    Column("shop", String(255), nullable=False),
    Column("topic", String(255), nullable=False),
    Column("webhook_id", String(255), nullable=False),
    Column("event_id", String(255)),
    Column("triggered_at", UtcTime),
    Column("received_at", UtcTime, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("resource_id", String(255)),
    UniqueConstraint("shop", "topic", "webhook_id"),
    # Without AUTOINCREMENT SQLite hands out the newest row's number again once that row is purged.
    sqlite_autoincrement=True,
)

control_events = Table(
    "control_events",
    metadata,
    Column("seq", _Number, Identity(), primary_key=True),
    Column("shop", String(255), nullable=False),
    Column("topic", String(255), nullable=False),
    Column("webhook_id", String(255), nullable=False),
    Column("body_encrypted", Text),
    Column("key_id", ForeignKey("encryption_keys.key_id")),
    Column("received_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided_at", UtcTime),
    Column("note", Text),
    UniqueConstraint("shop", "topic", "webhook_id"),
    CheckConstraint("state IN ('pending', 'confirmed', 'quarantined', 'done')", name="state"),
    CheckConstraint("(body_encrypted IS NULL) = (key_id IS NULL)", name="body_has_key"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _Number, Identity(), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("shop", String(255), nullable=False),
    Column("act", String(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("lease_epoch", _Number, nullable=False, server_default=text("0")),
    Index(None, "shop"),
    sqlite_autoincrement=True,
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("total", _Number, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    # The token's hash: who reads the database cannot take over a session.
    Column("token_hash", String(64), primary_key=True),
    Column("shop", String(255), nullable=False),
    Column("owner", String(36), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index(None, "shop"),
    Index(None, "expires_at"),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("shop", String(255), nullable=False),
    Column("browser_hash", String(64), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index(None, "shop"),
    Index(None, "expires_at"),
)
