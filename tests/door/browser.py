"""A browser, as far as a door can tell: it keeps cookies, says where a request comes from, and reads pages."""

import re
import secrets
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.door.conftest import Door


class Browser(httpx.Client):
    """One person's, from an address of its own."""

    def __init__(self, door: Door) -> None:
        self.address = "10." + ".".join(str(secrets.randbelow(250)) for _ in range(3))
        headers = {"Accept": "text/html", "X-Forwarded-For": self.address}
        super().__init__(base_url=door.url, timeout=30, headers=headers)
        self.own_page = {"Origin": door.url, "Sec-Fetch-Site": "same-origin"}

    def submit(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of one of the door's pages; the token as the page has it, unless it is given."""
        if "csrf_token" not in fields and "spendgate" in self.cookies:
            fields = {"csrf_token": self.token, **fields}
        return self.post(path, data=fields, headers=self.own_page)

    @property
    def token(self) -> str:
        """Against forgery, as the sign-in page has it."""
        return fields_of(self.get("/login")).get("csrf_token", "")

    @property
    def me(self) -> httpx.Response:
        """What the door says of the session."""
        return self.get("/v1/session", headers={"Accept": "application/json"})

    def by_key(self, key: str) -> httpx.Response:
        """Sign in with a key."""
        return self.post("/login/key", data={"key": key}, headers=self.own_page)

    def to_provider(self, to: str = "") -> str:
        """Begin to sign in by the provider; the address at which one is there."""
        answer = self.get("/login/oidc", params={"next": to} if to else {})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def by_provider(self, sub: str, to: str = "") -> httpx.Response:
        """Sign in by the provider as one of its people."""
        return self.get(at_provider(self.to_provider(to), sub))


def at_provider(address: str, sub: str) -> str:
    """What a person does at the provider; where it sends them back to."""
    answer = httpx.post(address, data={"sub": sub}, timeout=30)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}


def changed(address: str, **values: str) -> str:
    """The address with other parameters."""
    return str(httpx.URL(address).copy_merge_params(values))


def fields_of(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    return {
        name: unescape(value) for name, value in re.findall('type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    }


def leads_to(page: httpx.Response) -> str:
    """Where a page leads by itself."""
    found = re.search('http-equiv="refresh" content="0; url=([^"]+)"', page.text)
    assert found is not None, page.text
    return unescape(found[1])
