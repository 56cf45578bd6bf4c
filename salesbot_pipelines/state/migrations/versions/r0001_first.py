"""Every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_ZERO = sa.text("0")
# op.f: the name is whole; without it the naming convention would put its prefix in front again.


def upgrade() -> None:
    """Build the schema."""
    _keys_and_installs()
    _work_and_inbox()
    _control_and_audit()
    _sessions()


def _keys_and_installs() -> None:
    op.create_table(
        "encryption_keys",
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("check_value", sa.Text(), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_encryption_keys"),
        comment="one row per key that encrypted something; the keys themselves are never stored",
    )
    op.create_table(
        "installs",
        sa.Column("seq", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("installed_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("reauth_reason", sa.Text()),
        sa.Column("credential", sa.Text()),
        sa.Column("key_id", sa.String(16)),
        sa.Column("access_expires_at", _TIME),
        sa.Column("refresh_expires_at", _TIME),
        sa.Column("renewal_holder", sa.String(255)),
        sa.Column("renewal_until", _TIME),
        sa.Column("renewal_epoch", _NUMBER, nullable=False, server_default=_ZERO),
        sa.PrimaryKeyConstraint("seq", name="pk_installs"),
        sa.UniqueConstraint("shop", name="uq_installs_shop"),
        sa.ForeignKeyConstraint(["key_id"], ["encryption_keys.key_id"], name="fk_installs_key_id"),
        sa.CheckConstraint("status IN ('installed', 'needs_reauth', 'uninstalled')", name=op.f("ck_installs_status")),
        sa.CheckConstraint("kind IN ('pair', 'client_credentials', 'static')", name=op.f("ck_installs_kind")),
        sa.CheckConstraint("(credential IS NULL) = (key_id IS NULL)", name=op.f("ck_installs_credential_has_key")),
        sa.CheckConstraint(
            "status <> 'uninstalled' OR credential IS NULL", name=op.f("ck_installs_uninstalled_has_none")
        ),
        sqlite_autoincrement=True,
    )


def _work_and_inbox() -> None:
    op.create_table(
        "shop_work",
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("wanted", _NUMBER, nullable=False, server_default=_ZERO),
        sa.Column("done", _NUMBER, nullable=False, server_default=_ZERO),
        sa.Column("wanted_since", _TIME),
        sa.Column("lease_owner", sa.String(255)),
        sa.Column("lease_until", _TIME),
        sa.Column("lease_epoch", _NUMBER, nullable=False, server_default=_ZERO),
        sa.Column("leased_at", _TIME),
        sa.Column("unclean", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=_ZERO),
        sa.Column("next_try_at", _TIME),
        sa.Column("parked", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("last_error", sa.Text()),
        sa.Column("last_trigger", sa.String(255)),
        sa.Column("last_fetched_at", _TIME),
        sa.Column("last_published_at", _TIME),
        sa.Column("last_checked_at", _TIME),
        sa.Column("revision", sa.String(255)),
        sa.PrimaryKeyConstraint("shop", name="pk_shop_work"),
        sa.ForeignKeyConstraint(["shop"], ["installs.shop"], name="fk_shop_work_shop"),
        sa.CheckConstraint("done <= wanted", name=op.f("ck_shop_work_done_within_wanted")),
        sa.CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name=op.f("ck_shop_work_lease_whole")),
    )
    op.create_table(
        "inbox",
        sa.Column("seq", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("topic", sa.String(255), nullable=False),
        sa.Column("webhook_id", sa.String(255), nullable=False),
        sa.Column("event_id", sa.String(255)),
        sa.Column("triggered_at", _TIME),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("resource_id", sa.String(255)),
        sa.PrimaryKeyConstraint("seq", name="pk_inbox"),
        sa.UniqueConstraint("shop", "topic", "webhook_id", name="uq_inbox_shop_topic_webhook_id"),
        sqlite_autoincrement=True,
    )


def _control_and_audit() -> None:
    op.create_table(
        "control_events",
        sa.Column("seq", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("topic", sa.String(255), nullable=False),
        sa.Column("webhook_id", sa.String(255), nullable=False),
        sa.Column("body_encrypted", sa.Text()),
        sa.Column("key_id", sa.String(16)),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_at", _TIME),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="pk_control_events"),
        sa.UniqueConstraint("shop", "topic", "webhook_id", name="uq_control_events_shop_topic_webhook_id"),
        sa.ForeignKeyConstraint(["key_id"], ["encryption_keys.key_id"], name="fk_control_events_key_id"),
        sa.CheckConstraint(
            "state IN ('pending', 'confirmed', 'quarantined', 'done')", name=op.f("ck_control_events_state")
        ),
        sa.CheckConstraint(
            "(body_encrypted IS NULL) = (key_id IS NULL)", name=op.f("ck_control_events_body_has_key")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("seq", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("act", sa.String(32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("lease_epoch", _NUMBER, nullable=False, server_default=_ZERO),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_shop", "audit", ["shop"])
    op.create_table(
        "counters",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("total", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
    )
    op.create_table(
        "oauth_states",
        sa.Column("state_hash", sa.String(64), nullable=False),
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_oauth_states"),
    )
    for table in ("sessions", "oauth_states"):
        op.create_index(f"ix_{table}_shop", table, ["shop"])
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])
