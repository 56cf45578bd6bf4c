"""Cookies: what we signed opens, nothing else does, and a signature is of no use elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesbot_pipelines.receiver.cookies import LOGIN, SESSION, CookieJar, new_token

SECRET = "shpss_secret"


def test_a_value_survives_the_browser():
    jar = CookieJar([SECRET])
    token = new_token()
    assert jar.read(SESSION, {SESSION.name: jar.seal(SESSION, token)}) == token


@given(st.text(max_size=80))
def test_nothing_that_we_did_not_sign_opens(text):
    jar = CookieJar([SECRET])
    assert jar.read(SESSION, {SESSION.name: text}) is None


@given(st.integers(0, 200), st.integers(1, 127))
def test_a_changed_character_closes_it(position, change):
    jar = CookieJar([SECRET])
    sealed = jar.seal(LOGIN, "value-of-some-length")
    position %= len(sealed)
    changed = sealed[:position] + chr((ord(sealed[position]) + change) % 128) + sealed[position + 1 :]
    expected = "value-of-some-length" if changed == sealed else None
    assert jar.read(LOGIN, {LOGIN.name: changed}) == expected


def test_one_purpose_does_not_open_the_other():
    jar = CookieJar([SECRET])
    assert jar.read(SESSION, {SESSION.name: jar.seal(LOGIN, "x")}) is None


def test_a_rotated_secret_still_opens_and_an_unknown_one_does_not():
    old, new = CookieJar(["old"]), CookieJar(["new", "old"])
    sealed = old.seal(SESSION, "x")
    assert new.read(SESSION, {SESSION.name: sealed}) == "x"
    assert CookieJar(["new"]).read(SESSION, {SESSION.name: sealed}) is None


def test_an_empty_secret_is_refused():
    for secrets in ([], [""], ["a", ""]):
        with pytest.raises(ValueError, match="empty"):
            CookieJar(secrets)


def test_the_signature_is_not_made_with_the_secret_itself():
    sealed = CookieJar([SECRET]).seal(SESSION, "x")
    value, _, signature = sealed.rpartition(".")
    for message in (value, f"session\0{value}"):
        direct = hmac.digest(SECRET.encode(), message.encode(), hashlib.sha256)
        assert signature != base64.urlsafe_b64encode(direct).rstrip(b"=").decode()


def test_attributes():
    text = CookieJar([SECRET]).set(SESSION, "x")
    assert text.startswith("__Host-salesbot_session=x.")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in text.split(";")}
    assert "Domain" not in text
    cleared = CookieJar([SECRET]).clear(LOGIN)
    assert "Max-Age=0" in cleared
    assert cleared.startswith("__Host-salesbot_login=;")
