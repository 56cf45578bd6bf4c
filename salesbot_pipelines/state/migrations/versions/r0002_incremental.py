"""What a refresh has read already, so that the next one may read only what changed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORK = sa.table("shop_work", sa.column("last_fetched_at"), sa.column("last_full_at"))


def upgrade() -> None:
    """Add the columns. Every refresh until now was a full one; which events it covered nobody wrote down."""
    op.add_column("shop_work", sa.Column("events_read", _NUMBER))
    op.add_column("shop_work", sa.Column("marks_read", _NUMBER))
    op.add_column("shop_work", sa.Column("last_full_at", sa.DateTime(timezone=True)))
    op.execute(sa.update(_WORK).values(last_full_at=_WORK.c.last_fetched_at))
