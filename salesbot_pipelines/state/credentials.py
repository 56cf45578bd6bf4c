"""What opens a shop: a token, and where it has one, the means to renew it.

Its secret fields are in no repr. It is stored encrypted and leaves this room decrypted only on
request; nothing here talks to Shopify.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from salesbot_pipelines.errors import StateError

CredentialKind = Literal["pair", "client_credentials", "static"]


@dataclass(frozen=True)
class Credential:
    """A shop's offline access token.

    `pair` expires and has a refresh token that changes at each use; `client_credentials` is asked for
    again with the client's id and secret; `static` never expires.
    https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/offline-access-tokens
    """

    kind: CredentialKind
    access_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: datetime | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)

    def to_bytes(self) -> bytes:
        """Return the form that is encrypted."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Credential:
        """Read that form back. Raises `StateError` for anything else, without quoting it."""
        try:
            return _decode(stored)
        except msgspec.MsgspecError:
            raise StateError("a stored credential is malformed", advice="connect the shop again") from None


_decode = msgspec.json.Decoder(Credential).decode
