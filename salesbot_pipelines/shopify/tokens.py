"""Where an access token comes from: the client asks for the current one, and for a new one when Shopify refuses it.

Who stores and renews tokens (a lease, a database) stands on the other side of the protocol.
"""

from __future__ import annotations

from typing import Protocol

from salesbot_pipelines.errors import AccessRevoked


class AccessTokens(Protocol):
    """The access token of one shop."""

    def current(self) -> str:
        """Return the token to use now."""
        ...

    def renew(self, rejected: str) -> str:
        """Return a token other than `rejected`, which Shopify answered with 401.

        Raises `AccessRevoked` or `NeedsReauth` when there is none.
        """
        ...


class StaticToken:
    """A token that does not expire and cannot be renewed: a custom app's."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __repr__(self) -> str:
        return "StaticToken(...)"

    def current(self) -> str:
        return self._token

    def renew(self, rejected: str) -> str:  # noqa: ARG002 - the protocol's name
        raise AccessRevoked("Shopify no longer knows this app's access token, and it is not one that can be renewed")
