"""Secrets at rest: Fernet, several keys, each ciphertext bound to its shop and purpose.

Fernet knows no associated data, so shop and purpose stand in front of the plaintext and are compared
on reading: a row pasted to another shop does not open. The keys come from the settings or a file,
never from the database, which holds one check value per key in use. With a wrong or missing key
nothing starts and nothing is changed. `rotation.py` moves everything to the newest key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from salesbot_pipelines.errors import SettingsError, StateError, WrongEncryptionKey
from salesbot_pipelines.settings import Settings
from salesbot_pipelines.state.clock import SystemClock, read_clock
from salesbot_pipelines.state.key_file import KeyFile
from salesbot_pipelines.state.tables import encryption_keys
from salesbot_pipelines.state.transactions import reading, writing

CREDENTIAL, CONTROL_EVENT = "credential", "control event"
"""What a ciphertext may be for."""

_FORM = "salesbot/1"
_CHECK = b"this key may read what is stored"


class Keyring:
    """The encryption keys, newest first: the first one writes, all of them read."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SettingsError("there is no encryption key", advice="make one with `salesbot keys new`")
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise SettingsError(
                "SALESBOT_ENCRYPTION_KEYS is malformed", advice="make a key with `salesbot keys new`"
            ) from None
        self.key_ids = tuple(_key_id(key) for key in keys)
        self._one_by_id = dict(zip(self.key_ids, fernets, strict=True))
        self._all = MultiFernet(fernets)

    @classmethod
    def from_settings(cls, settings: Settings) -> Keyring:
        """Return the settings' keys, else those of the key file in the home folder.

        The file is made on first use, but never beside a foreign database: its key would be as
        lasting as that folder only. Raises `SettingsError`, and `StateError` for a file open to others.
        """
        if settings.encryption_keys:
            return cls(settings.encryption_keys)
        if settings.database_url:
            raise SettingsError(
                "SALESBOT_ENCRYPTION_KEYS is not set (SALESBOT_DATABASE_URL is)",
                advice="make a key with `salesbot keys new`",
            )
        return cls(KeyFile(settings.home).read_or_create())

    def __repr__(self) -> str:
        return f"Keyring(key_ids={self.key_ids})"

    @property
    def primary_id(self) -> str:
        """The id of the key that writes."""
        return self.key_ids[0]

    def encrypt(self, shop: str, plaintext: bytes, *, purpose: str = CREDENTIAL) -> str:
        """Return the ciphertext of `plaintext`, which opens for this shop and purpose only."""
        return self._all.encrypt(_front(shop, purpose) + plaintext).decode("ascii")

    def decrypt(self, shop: str, ciphertext: str, *, purpose: str = CREDENTIAL) -> bytes:
        """Return the plaintext. Raises `WrongEncryptionKey`, or `StateError` for another shop's row."""
        try:
            opened = self._all.decrypt(ciphertext)
        except InvalidToken:
            raise WrongEncryptionKey(f"no key can read the {purpose} of {shop}") from None
        front = _front(shop, purpose)
        if not opened.startswith(front):
            raise StateError(
                f"the {purpose} stored for {shop} was written for something else",
                advice="the database was changed from outside; connect the shop again",
            )
        return opened[len(front) :]

    def can_read(self, check_value: str) -> bool:
        """Tell whether one of the keys wrote this check value."""
        try:
            return self._all.decrypt(check_value) == _CHECK
        except InvalidToken:
            return False

    def ensure_key_check(self, engine: Engine) -> None:
        """Check at start that every key in use is at hand, and enter the newest one.

        Raises `WrongEncryptionKey` and leaves the database as it is when one is missing.
        """
        with reading(engine) as connection:
            rows = connection.execute(select(encryption_keys)).all()
        missing = [row.key_id for row in rows if not self.can_read(row.check_value)]
        if missing:
            raise WrongEncryptionKey(
                f"the database needs the encryption key with the id {' and '.join(missing)}; "
                f"given are {' and '.join(self.key_ids)}"
            )
        if self.primary_id not in {row.key_id for row in rows}:
            with writing(engine) as connection:
                self.enter(connection)

    def enter(self, connection: Connection) -> None:
        """Enter the newest key's check value, in the caller's transaction."""
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        check_value = self._one_by_id[self.primary_id].encrypt(_CHECK).decode("ascii")
        moment = read_clock(connection, SystemClock())
        connection.execute(
            insert(encryption_keys)
            .values(key_id=self.primary_id, check_value=check_value, added_at=moment)
            .on_conflict_do_nothing()
        )

    def require_entered(self, connection: Connection) -> None:
        """Refuse to write under a key that a rotation has retired since this process started.

        Call it in the transaction that writes: it keeps the key from being retired before the commit.
        """
        found = connection.execute(
            select(encryption_keys.c.key_id)
            .where(encryption_keys.c.key_id == self.primary_id)
            .with_for_update(read=True, key_share=True)
        ).first()
        if found is None:
            raise WrongEncryptionKey(
                f"the encryption key with the id {self.primary_id} is not, or no longer, in use",
                advice="start this process again with the present SALESBOT_ENCRYPTION_KEYS",
            )


def _key_id(key: str) -> str:
    return hashlib.sha256(b"salesbot key id\0" + key.encode("ascii")).hexdigest()[:16]


def _front(shop: str, purpose: str) -> bytes:
    return f"{_FORM}\0{purpose}\0{shop}\0".encode()
