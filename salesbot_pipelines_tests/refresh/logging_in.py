"""Log a merchant in and look at the credential: what is stored, what was asked for, what was refused."""

from __future__ import annotations

from datetime import timedelta

from salesbot_pipelines.state.installs import Credential
from salesbot_pipelines_tests.refresh.small_shop import DOMAIN


def log_in(rig, shop):
    """Let the merchant grant access: an expiring pair."""
    desk = rig.server.sandbox.tokens
    granted = desk.exchange_code(shop, desk.issue_code(shop, shop.scopes), "1")
    now = rig.program.clock.now()
    rig.program.installs.connect(
        shop.domain,
        Credential(
            kind="pair",
            access_token=granted["access_token"],
            expires_at=now + timedelta(seconds=granted["expires_in"]),
            refresh_token=granted["refresh_token"],
            refresh_expires_at=now + timedelta(seconds=granted["refresh_token_expires_in"]),
        ),
    )
    return granted["access_token"]


def stored(rig, shop=DOMAIN):
    return rig.program.installs.credential(shop)


def asked_for_tokens(rig, shop=DOMAIN):
    return rig.server.sandbox.calls.of(shop, "access_token")


def refused(rig):
    return [call for call in rig.server.sandbox.calls.of(DOMAIN) if call.status == 401]


def status(rig, shop=DOMAIN):
    return rig.program.installs.require(shop).status


def expire(rig):
    """End the access token as the answer to some call is under way."""
    return lambda shop: rig.server.sandbox.tokens.expire_access(shop.domain)
