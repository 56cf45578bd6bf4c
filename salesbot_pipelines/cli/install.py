"""Connecting a sandbox shop the way a merchant does: login, grant page, callback; over real HTTP."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin

import httpx

from salesbot_pipelines.errors import SalesbotError


class InstallFailed(SalesbotError):
    """A step of the install did not answer as it should."""


def install_through_browser_routes(shop: str, *, receiver: str) -> None:
    """Walk through the receiver's login, the sandbox's grant page and the callback.

    Raises `InstallFailed` naming the step.
    """
    with httpx.Client(trust_env=False, timeout=30.0, follow_redirects=False) as browser:
        login = browser.get(f"{receiver}/shopify/{shop}/login")
        # A browser sends Secure cookies to loopback, which it trusts without TLS; httpx does not.
        cookies = "; ".join(mark.partition(";")[0] for mark in login.headers.get_list("set-cookie"))
        grant_url = _redirect(login, "login")
        page = browser.get(grant_url)
        if page.status_code != 200:
            raise InstallFailed(f"{shop}: the grant page answered {page.status_code}")
        action, fields = _form(page.text)
        granted = browser.post(urljoin(grant_url, action), data=fields)
        callback = browser.get(_redirect(granted, "grant"), headers={"Cookie": cookies})
        if callback.status_code not in (200, 303):
            raise InstallFailed(f"{shop}: the callback answered {callback.status_code}")


def _redirect(answer: httpx.Response, step: str) -> str:
    if answer.status_code not in (302, 303, 307) or "location" not in answer.headers:
        raise InstallFailed(f"{step} answered {answer.status_code} where a redirect belongs")
    return urljoin(str(answer.url), answer.headers["location"])


def _form(page: str) -> tuple[str, dict[str, str]]:
    """Give the address and the fields of the page's first form."""
    form = re.search(r"<form[^>]*>", page)
    if form is None:
        raise InstallFailed("the grant page holds no form")
    action = re.search(r'action="([^"]*)"', form[0])
    fields = {}
    for mark in re.findall(r"<(?:input|button)[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', mark), re.search(r'value="([^"]*)"', mark)
        if name:
            fields[unescape(name[1])] = unescape(value[1]) if value else ""
    return unescape(action[1]) if action else "", fields
