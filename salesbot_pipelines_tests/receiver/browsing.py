"""A browser that keeps cookies and presses the button on Shopify's grant page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import httpx

from salesbot_pipelines_tests.receiver.harness import SHOP

JSON = {"accept": "application/json"}
LOGIN, SESSION = "__Host-salesbot_login", "__Host-salesbot_session"


class Browser:
    """Keeps cookies as a browser does, also on loopback without TLS."""

    def __init__(self, door) -> None:
        self.door = door
        self.cookies: dict[str, str] = {}
        self.seen: list[httpx.Response] = []

    def get(self, url: str, **headers: str) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.door.http.get(url, headers={"accept": "text/html", "cookie": cookie, **headers})
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        self.seen.append(answer)
        return answer

    def begin(self, shop: str = SHOP) -> str:
        """Start to log in; return the address of the grant page."""
        answer = self.get(f"/shopify/{shop}/login")
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def grant(self, address: str) -> str:
        """Press the button on Shopify's page; return the callback's address, path and query only."""
        query = urlsplit(address).query
        answer = httpx.post(address, data=dict(parse_qsl(query)), trust_env=False, verify=False)
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        return f"{back.path}?{back.query}"

    def install(self, shop: str = SHOP, **headers: str) -> httpx.Response:
        return self.get(self.grant(self.begin(shop)), **headers)
