"""What the tests let other processes do; spawned ones need functions that can be imported."""

from __future__ import annotations

from salesbot_pipelines.state.engine import check_schema, migrate, open_engine


def open_and_migrate(url: str) -> str:
    """Open the database as a door would, and bring its schema up."""
    engine = open_engine(url, create=True)
    migrate(engine)
    check_schema(engine)
    engine.dispose()
    return "ok"
