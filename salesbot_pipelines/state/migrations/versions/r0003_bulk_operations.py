"""Which bulk operations run at Shopify, so that the run after a killed one can go on with them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table. Operations that run now were written down nowhere; they end by themselves."""
    op.create_table(
        "bulk_operations",
        sa.Column("shop", sa.String(255), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("gid", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("lease_epoch", _NUMBER, nullable=False),
        sa.Column("wanted", _NUMBER, nullable=False),
        sa.Column("newest_event", _NUMBER, nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("shop", "name", name="pk_bulk_operations"),
        sa.ForeignKeyConstraint(["shop"], ["shop_work.shop"], name="fk_bulk_operations_shop"),
        comment="what runs at Shopify for a reading that has not published",
    )
