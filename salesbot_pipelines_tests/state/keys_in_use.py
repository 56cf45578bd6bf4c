"""Keys and a credential to test with, and which keys a database knows and uses."""

from __future__ import annotations

from sqlalchemy import Engine, select

from salesbot_pipelines.state import tables
from salesbot_pipelines.state.installs import Credential
from salesbot_pipelines.state.key_file import new_key
from salesbot_pipelines.state.transactions import reading

OLD, NEW = new_key(), new_key()
STATIC = Credential(kind="static", access_token="shpat_canary")


def ids(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(connection.execute(select(tables.encryption_keys.c.key_id)).scalars())


def used_ids(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(tables.installs.c.key_id).order_by(tables.installs.c.seq)).scalars())
