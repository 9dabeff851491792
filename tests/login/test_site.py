"""Cookies and origins: which requests come from our own pages, and what a browser keeps."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway_shadow.login.site import Site
from gateway_shadow.problems import Problem


def request(**headers: str) -> Request:
    found = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "scheme": "http", "server": ("h", 80), "headers": found}
    return Request({**scope, "query_string": b""})


OURS, THEIRS = "https://spend.example.com", "https://evil.example.com"


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({"origin": OURS}, True),
        ({"origin": OURS, "sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({}, False),
        ({"origin": THEIRS}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://spend.example.com"}, False),
        ({"origin": f"{OURS}.evil.example.com"}, False),
        ({"origin": OURS, "sec_fetch_site": "same-site"}, False),
        ({"origin": OURS, "sec_fetch_site": "cross-site"}, False),
        ({"origin": THEIRS, "sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
    ],
)
def test_only_a_page_of_our_own_may_ask_for_a_change(headers: dict[str, str], is_own: bool) -> None:
    site = Site(OURS)
    if is_own:
        site.require_own_page(request(host="spend.example.com", **headers))
        return
    with pytest.raises(Problem) as told:
        site.require_own_page(request(host="spend.example.com", **headers))
    assert told.value.status_code == 403


def test_without_a_public_address_the_host_that_was_asked_is_ours() -> None:
    Site().require_own_page(request(host="127.0.0.1:8080", origin="http://127.0.0.1:8080"))
    with pytest.raises(Problem):
        Site().require_own_page(request(host="127.0.0.1:8080", origin="http://localhost:8080"))


@pytest.mark.parametrize(
    ("public", "cookie", "secure"), [(OURS, "__Host-spendgate", True), ("http://127.0.0.1:1", "spendgate", False)]
)
def test_a_session_is_for_no_script_no_other_site_and_where_it_can_for_no_other_host(
    public: str, cookie: str, secure: bool
) -> None:
    answer = Response()
    Site(public).keep(request(host="h"), answer, "text", 60)
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name == f"{cookie}=text"
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=60"} <= set(attributes)
    assert ("Secure" in attributes) == secure
    assert not any(each.lower().startswith("domain") for each in attributes)


def test_where_the_address_is_https_a_cookie_of_another_host_is_not_looked_at() -> None:
    assert Site(OURS).session_text(request(cookie="spendgate=planted")) == ""
    assert Site(OURS).session_text(request(cookie="__Host-spendgate=ours; spendgate=planted")) == "ours"
