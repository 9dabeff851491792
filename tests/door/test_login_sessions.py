"""Sessions of browsers: what they may, how they end, and that no other site uses them."""

import time
from collections.abc import Iterator
from typing import get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_shadow.callers import RIGHTS
from policy_store.api_keys import Role
from tests.door.browser import Browser, leads_to, query_of
from tests.door.conftest import TENANT, Door
from tests.door.entry import browser, entry, idp, running, trail
from tests.door.test_keys import OPEN, OPERATED, asked, filled, routes
from tests.door.test_live import parsed
from tests.live.waiting import in_time, until
from tests.login.provider import Provider

__all__ = ["browser", "entry", "idp", "running"]

PEOPLE = tuple(role for role in get_args(Role) if role != "ingest")
SAFE = ("GET", "HEAD")


@pytest.fixture
def both(browser: Browser, idp: Provider) -> Browser:
    """Signed in with two grants in one tenant and one in another: viewer of acme is in force."""
    sub = idp.person("sub-both", "both@example.com", "everybody", "platform")
    assert browser.by_provider(sub).headers["location"].startswith("/login?next=")
    return browser


# Signing in and out


@pytest.mark.parametrize("role", PEOPLE)
def test_a_session_may_what_a_key_of_its_role_may(browser: Browser, entry: Door, role: Role) -> None:
    key = entry.key(role, "kim")
    assert browser.by_key(key).status_code == 303
    assert (browser.me.json()["person"], browser.me.json()["role"]) == ("kim", role)
    with httpx.Client(base_url=entry.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as by_key:
        for method, path, _ in routes(entry):
            if method == "GET" and path not in OPEN and path != "/v1/session":
                told = asked(browser, method, filled(path))
                assert told[0] == asked(by_key, method, filled(path))[0], (role, path)
                operates = path.startswith(OPERATED)
                assert (told[0] == 403) == (("operate" if operates else "read") not in RIGHTS[role])


def test_a_key_that_is_wrong_over_or_for_senders_lets_nobody_in_and_leaves_a_row(browser: Browser, entry: Door) -> None:
    sender, good = entry.key("ingest"), entry.key("viewer")
    wrong = good[:-7] + ("A" if good[-7] != "A" else "B") + good[-6:]
    over = entry.key("editor")
    with entry.as_("operator") as operator:
        assert operator.delete(f"/v1/keys/{over[4:16]}").status_code == 200
    for key, words in (
        (sender, "for senders"),
        (wrong, "expected a key"),
        ("", "expected a key"),
        (over, "expected a key"),
    ):
        answer = browser.by_key(key)
        assert (answer.status_code, words in answer.text.lower()) == (403, True), answer.text
        assert "spendgate" not in browser.cookies
    row = trail(entry, TENANT)[-1]
    assert (row.who, row.action, row.subject) == ("(door)", "refused", f"sign-in with key {over[4:16]}")


def test_a_session_that_a_browser_brings_is_never_adopted_and_the_one_before_is_over(
    browser: Browser, entry: Door
) -> None:
    planted = f"ses-{'0' * 16}.{'a' * 43}"
    browser.cookies.set("spendgate", planted, domain="127.0.0.1", path="/")
    assert browser.by_key(entry.key("viewer")).status_code == 303
    first = browser.cookies["spendgate"]
    assert first[:20] != planted[:20]
    assert browser.by_key(entry.key("viewer")).status_code == 303
    assert browser.cookies["spendgate"][:20] != first[:20]
    old = httpx.Client(base_url=entry.url, cookies={"spendgate": first})
    until(lambda: old.get("/v1/me").status_code == 401, "the session before to be over")


def test_who_signs_out_is_out_here_and_is_led_out_of_the_provider(browser: Browser, idp: Provider, entry: Door) -> None:
    sub = idp.person("sub-out", "out@example.com", "everybody")
    assert browser.by_provider(sub).status_code == 303
    text, id_ = browser.cookies["spendgate"], browser.me.json()["id"]
    answer = browser.submit("/logout")
    assert answer.status_code == 200, answer.text
    out = leads_to(answer)
    assert out.startswith(f"{idp.issuer}/oauth2/end_session")
    sent = query_of(out)
    assert sent["post_logout_redirect_uri"] == f"{entry.url}/login"
    assert sent["id_token_hint"].count(".") == 2
    assert httpx.get(out).status_code == 200
    assert "spendgate" not in browser.cookies
    assert httpx.get(f"{entry.url}/v1/me", cookies={"spendgate": text}).status_code == 401
    row = trail(entry, TENANT)[-1]
    assert (row.who, row.action, row.subject) == ("out@example.com", "logout", f"session {id_}")


def test_a_stranger_on_a_page_is_led_to_sign_in_and_then_back(browser: Browser, entry: Door) -> None:
    answer = browser.get("/login/cli?port=2000&state=0123456789abcdef&challenge=" + "c" * 43)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=/login/cli%3Fport%3D2000%26")
    page = browser.get(answer.headers["location"])
    assert "/login/oidc?next=/login/cli%3Fport%3D2000%26" in page.text
    assert "script" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


# Several grants


def test_one_grant_is_in_force_and_a_person_chooses_among_their_own(both: Browser, entry: Door) -> None:
    first = both.me.json()
    assert (first["tenant"], first["role"]) == (TENANT, "viewer")
    assert len(first["grants"]) == 3
    assert both.get("/v1/keys").status_code == 403
    old_token, old_text = both.token, both.cookies["spendgate"]
    assert both.submit("/login/switch?next=/v1/keys", tenant=TENANT, role="operator").headers["location"] == "/v1/keys"
    assert both.get("/v1/keys").status_code == 200
    assert both.submit("/login/switch", tenant="labs", role="viewer").status_code == 303
    me = both.me.json()
    assert (me["tenant"], me["role"], me["id"]) == ("labs", "viewer", first["id"])
    for tenant, role in (("labs", "operator"), ("victim", "viewer"), ("", "")):
        assert both.submit("/login/switch", tenant=tenant, role=role).status_code == 409
    assert both.submit("/login/switch", csrf_token=old_token, tenant=TENANT, role="viewer").status_code == 403
    old = httpx.Client(base_url=entry.url, cookies={"spendgate": old_text})
    until(lambda: old.get("/v1/me").status_code == 401, "the text of before to be nobody's")
    assert (trail(entry, "labs")[-1].action, trail(entry, "labs")[-1].who) == ("switch", "both@example.com")


def test_the_tenant_comes_from_the_session_and_never_from_a_header(both: Browser) -> None:
    answer = both.get("/v1/me", headers={"X-Tenant": "labs", "X-Spendgate-Tenant": "labs"})
    assert answer.json()["tenant"] == TENANT


# Forgery


def unsafe(door: Door) -> list[tuple[str, str]]:
    return [(method, filled(path)) for method, path, _ in routes(door) if method not in SAFE]


def test_no_other_site_changes_anything_by_a_session(entry: Door, browser: Browser) -> None:
    assert browser.by_key(entry.key("operator", "op")).status_code == 303
    good = {"X-CSRF-Token": browser.token, **browser.own_page}
    with Browser(entry) as another:
        assert another.by_key(entry.key("operator", "op")).status_code == 303
        others_token = another.token
    targets = [*unsafe(entry), ("POST", "/logout"), ("POST", "/login/switch"), ("POST", "/login/cli")]
    evil = "https://evil.example"
    forged = st.sampled_from([
        {"X-CSRF-Token": ""}, {"X-CSRF-Token": others_token}, {"X-CSRF-Token": good["X-CSRF-Token"][:-1]},
        {"Origin": evil}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Origin": "", "Sec-Fetch-Site": ""},
    ])  # fmt: skip

    @given(target=st.sampled_from(targets), wrong=forged)
    @settings(deadline=None)
    def run(target: tuple[str, str], wrong: dict[str, str]) -> None:
        headers = {name: value for name, value in {**good, **wrong}.items() if value}
        answer = browser.request(*target, json={}, headers={**headers, "Accept": "application/json"})
        assert answer.status_code == 403, (target, wrong)
        assert answer.json()["type"].split(":")[-1] in ("other_site", "bad_csrf_token")

    before = trail(entry, TENANT)[-1].number
    run()
    assert trail(entry, TENANT)[-1].number == before
    assert browser.post("/v1/keys", json={"person": "eve", "role": "viewer"}, headers=good).status_code == 201
    form = {"csrf_token": good["X-CSRF-Token"]}
    assert browser.post("/logout", data=form, headers=browser.own_page).status_code == 303


def test_a_key_needs_no_token_and_wins_over_a_session(browser: Browser, entry: Door) -> None:
    assert browser.by_key(entry.key("viewer", "low")).status_code == 303
    bearer = {"Authorization": f"Bearer {entry.key('operator', 'high')}"}
    assert browser.get("/v1/me", headers=bearer).json()["person"] == "high"
    made = browser.post("/v1/keys", json={"person": "eve", "role": "viewer"}, headers={**bearer, "Origin": "https://x"})
    assert made.status_code == 201
    wrong = {"Authorization": "Bearer sgk_nonsense"}
    assert browser.get("/v1/me", headers=wrong).status_code == 401, "a wrong key is not made good by a session"


def test_no_other_site_signs_a_browser_in(browser: Browser, entry: Door) -> None:
    key = entry.key("viewer")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        assert browser.post("/login/key", data={"key": key}, headers=headers).status_code == 403
    assert "spendgate" not in browser.cookies


# Operators


@pytest.fixture
def beside(entry: Door) -> Iterator[Door]:
    """A second process on the same store."""
    made = Door(
        entry.folder,
        entry.broker,
        entry.topics,
        entry.prefix,
        entry.database,
        entry.store_url,
        entry.signer,
        started=10,
    )
    settings = {
        "SPENDGATE_OIDC_CLIENT_ID": "spendgate",
        "SPENDGATE_OIDC_GRANTS_FILE": str(entry.folder / "grants.yaml"),
    }
    made.start(SPENDGATE_PUBLIC_URL=entry.url, SPENDGATE_OIDC_ISSUER="http://localhost:1", **settings)
    yield made
    made.stop(kill=True)


def test_a_session_is_ended_by_an_operator_in_every_process_within_two_seconds(
    both: Browser, entry: Door, beside: Door
) -> None:
    with entry.as_("operator", "op") as operator, both.stream("GET", "/v1/decisions/live") as live:

        def refused_s() -> float:
            with Browser(entry) as kept, httpx.Client(base_url=beside.url) as elsewhere:
                assert kept.by_key(entry.key("viewer", "kept")).status_code == 303
                elsewhere.cookies.update(dict(kept.cookies))
                id_ = kept.me.json()["id"]
                assert elsewhere.get("/v1/me").status_code == 200
                listed = {each["id"]: each for each in operator.get("/v1/sessions").json()}
                assert listed[id_]["person"] == "kept"
                assert operator.get("/v1/sessions", params={"person": "nobody"}).json() == []
                begun = time.monotonic()
                assert operator.delete(f"/v1/sessions/{id_}", params={"why": "a lost laptop"}).status_code == 200
                until(lambda: elsewhere.get("/v1/me").status_code == 401 and kept.me.status_code == 401, "the refusal")
                took_s = time.monotonic() - begun
                assert operator.delete(f"/v1/sessions/{id_}").status_code == 409
                return took_s

        in_time(refused_s, 2)
        events = parsed(live)
        assert next(events) == ("begun", {})
        assert operator.delete("/v1/sessions", params={"person": "both@example.com"}).json()["revoked"] >= 1
        assert list(events) == [], "what is watched by a session ends with it"
        row = trail(entry, TENANT)[-1]
        assert (row.who, row.action) == ("op", "revoke")


def test_an_operator_sees_nothing_of_what_a_session_is_elsewhere(both: Browser, entry: Door) -> None:
    assert both.submit("/login/switch", tenant="labs", role="viewer").status_code == 303
    id_ = both.me.json()["id"]
    with entry.as_("operator") as here, entry.as_("operator", tenant="spy") as spy:
        shown = next(each for each in here.get("/v1/sessions").json() if each["id"] == id_)
        assert shown["role"] is None
        assert "labs" not in str(shown)
        assert id_ not in spy.get("/v1/sessions").text
        assert spy.delete(f"/v1/sessions/{id_}").status_code == 404
        assert spy.delete("/v1/sessions", params={"person": "both@example.com"}).json() == {"revoked": 0}
        assert both.me.status_code == 200
        assert here.delete(f"/v1/sessions/{id_}").status_code == 200, "it may come back here at any time"


def test_a_session_ends_with_the_key_that_began_it(browser: Browser, entry: Door) -> None:
    key = entry.key("viewer")
    assert browser.by_key(key).status_code == 303
    with entry.as_("operator") as operator:
        assert operator.delete(f"/v1/keys/{key[4:16]}").status_code == 200
    until(lambda: browser.me.status_code == 401, "the session to be over")
    assert "Sign in with a key" in browser.get("/login").text
