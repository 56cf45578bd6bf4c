"""The door's two cookies: which browser began a login, and whose session this is.

Both are signed with keys derived from the app's secret, never with the secret itself: Shopify's own library
once signed cookies with it, and such a cookie could be replayed as a webhook's signature (shopify-api 13.1.0).
`__Host-` pins a cookie to this host and to HTTPS; browsers treat loopback as trustworthy, so the demo needs
no weaker form.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_LONGEST = 256


@dataclass(frozen=True)
class Cookie:
    """One cookie's name, what it is for (part of the signature) and how long it lives."""

    name: str
    purpose: str
    seconds: int


LOGIN = Cookie("__Host-salesbot_login", "login", 600)
"""Binds an OAuth state to the browser that asked for it."""

SESSION = Cookie("__Host-salesbot_session", "session", 30 * 24 * 3600)
"""The token of a session that lies in the database."""


class CookieJar:
    """Seals and opens cookie values. The first secret signs, all of them verify (a rotation takes a while)."""

    def __init__(self, app_secrets: Sequence[str]) -> None:
        if not app_secrets or not all(app_secrets):
            raise ValueError("a cookie cannot be signed with an empty secret")
        self._keys = [_derive(secret) for secret in app_secrets]

    def set(self, cookie: Cookie, value: str) -> str:
        """Return the Set-Cookie header's value."""
        return f"{cookie.name}={self.seal(cookie, value)}; Max-Age={cookie.seconds}; {_ATTRIBUTES}"

    def clear(self, cookie: Cookie) -> str:
        """Return the Set-Cookie header's value that removes the cookie."""
        return f"{cookie.name}=; Max-Age=0; {_ATTRIBUTES}"

    def seal(self, cookie: Cookie, value: str) -> str:
        """Return `value` with its signature."""
        return f"{value}.{_sign(self._keys[0], cookie, value)}"

    def read(self, cookie: Cookie, cookies: Mapping[str, str]) -> str | None:
        """Return the value that we once signed; None for anything else."""
        value, dot, signature = cookies.get(cookie.name, "").rpartition(".")
        if not dot or not value or len(value) > _LONGEST or not (value + signature).isascii():
            return None
        given = signature.encode()
        matches = [hmac.compare_digest(_sign(key, cookie, value).encode(), given) for key in self._keys]
        return value if any(matches) else None


def new_token() -> str:
    """Return 32 random bytes as text fit for a cookie and a URL."""
    return secrets.token_urlsafe(32)


_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"


def _derive(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"salesbot_pipelines cookie 1").derive(secret.encode())


def _sign(key: bytes, cookie: Cookie, value: str) -> str:
    digest = hmac.digest(key, f"{cookie.purpose}\0{value}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
