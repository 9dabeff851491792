"""Sign-in by a provider, over real HTTP: who comes in and as whom, and what is not believed."""

import time
from collections.abc import Callable

import httpx
import pytest

from gateway_shadow.patience import ATTEMPTS
from policy_store import audit
from tests.door.browser import Browser, at_provider, changed, leads_to, query_of
from tests.door.conftest import TENANT, Door
from tests.door.entry import browser, entry, idp, running, trail
from tests.door.test_policies import NAME, draft
from tests.login.provider import CLIENT, SECRET, Claims, Provider

__all__ = ["browser", "entry", "idp", "running"]


def refused(answer: httpx.Response, words: str, status: int = 403) -> bool:
    """Whether this is how it was answered, and nobody came in."""
    assert answer.status_code == status, answer.text
    assert words in answer.text
    return not any(name == "spendgate" for name in answer.cookies)


def test_a_person_comes_in_as_what_their_groups_give(browser: Browser, idp: Provider, entry: Door) -> None:
    sub = idp.person("sub-fin", "Fin@Example.com", "finance", "unknown-group")
    answer = browser.by_provider(sub, "/v1/me?a=1&b=2")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/v1/me?a=1&b=2"
    me = browser.me.json()
    assert (me["person"], me["tenant"], me["role"]) == ("fin@example.com", TENANT, "approver")
    assert [browser.get(path).status_code for path in ("/v1/policies", "/v1/me", "/v1/keys")] == [200, 200, 403]
    row = trail(entry, TENANT)[-1]
    assert (row.who, row.action, row.subject) == ("fin@example.com", "login", f"session {me['id']}")


def thinned(claims: Claims) -> None:
    for name in ("groups", "email", "email_verified"):
        del claims[name]


def test_groups_and_names_that_the_id_token_lacks_come_from_userinfo(browser: Browser, idp: Provider) -> None:
    sub = idp.person("sub-thin", "thin@example.com", "engineers")
    idp.amend = thinned
    assert browser.by_provider(sub).status_code == 303
    assert (browser.me.json()["person"], browser.me.json()["role"]) == ("thin@example.com", "editor")


def at(name: str, seconds: float) -> Callable[[Claims], None]:
    return lambda claims: claims.update({name: int(time.time() + seconds)})


def now(name: str, value: object) -> Callable[[Claims], None]:
    return lambda claims: claims.update({name: value})


NOT_BELIEVED: dict[str, tuple[str, Callable[[Claims], None], str]] = {
    "another issuer": ("RS256", now("iss", "https://evil.example"), "another issuer"),
    "another audience": ("RS256", now("aud", "another-client"), "another audience"),
    "another party": ("RS256", lambda claims: claims.update(aud=[CLIENT, "b"], azp="b"), "another party"),
    "no party of several": ("RS256", lambda claims: claims.update(aud=[CLIENT, "b"]), "another party"),
    "another nonce": ("RS256", now("nonce", "n" * 20), "another nonce"),
    "no nonce": ("RS256", lambda claims: claims.pop("nonce"), "another nonce"),
    "expired": ("RS256", at("exp", -61), "it has expired"),
    "not issued yet": ("RS256", at("iat", 3600), "issued in the future"),
    "no expiry": ("RS256", lambda claims: claims.pop("exp"), "it has expired"),
    "no subject": ("RS256", lambda claims: claims.pop("sub"), "not for this sign-in"),
    "no signature": ("none", lambda _: None, "cannot be trusted"),
    "the public key as a secret": ("HS256", lambda _: None, "cannot be trusted"),
    "a key of another": ("forged", lambda _: None, "cannot be trusted"),
    "an algorithm that is not allowed": ("RS512", lambda _: None, "cannot be trusted"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_BELIEVED)
def test_an_id_token_that_is_not_the_providers_for_this_sign_in_lets_nobody_in(
    browser: Browser, idp: Provider, case: str
) -> None:
    idp.alg, idp.amend, words = NOT_BELIEVED[case]
    assert refused(browser.by_provider(idp.person("sub-x", "x@example.com", "platform")), words)
    assert browser.me.status_code == 401
    idp.honest()
    assert browser.by_provider("sub-x").status_code == 303


def test_clocks_may_differ_by_the_stated_skew(browser: Browser, idp: Provider) -> None:
    for amend in (at("exp", -30), at("iat", 30)):
        idp.amend = amend
        assert browser.by_provider(idp.person("sub-skew", "skew@example.com", "everybody")).status_code == 303


def test_a_sign_in_ends_in_the_browser_that_began_it_once_and_with_its_own_state(
    browser: Browser, idp: Provider, entry: Door
) -> None:
    sub = idp.person("sub-state", "state@example.com", "everybody")
    back, stolen = (at_provider(browser.to_provider(), sub) for _ in range(2))
    with Browser(entry) as victim:
        assert refused(victim.get(stolen), "not begun in this browser")
        theirs = query_of(victim.to_provider())["state"]
        assert refused(victim.get(changed(stolen, state=theirs)), "refused the sign-in (invalid_grant)")
    for wrong in (changed(back, state="guessed"), changed(back, state=""), back.replace("state=", "other=")):
        assert refused(browser.get(wrong), "not begun in this browser")
    assert refused(browser.get(changed(back, iss="https://evil.example")), "not of the provider that was asked")
    assert browser.get(back).status_code == 303
    assert refused(browser.get(back), "not begun in this browser"), "a second time"


def test_two_windows_of_a_browser_may_sign_in_at_once(browser: Browser, idp: Provider) -> None:
    sub = idp.person("sub-two", "two@example.com", "everybody")
    there = [browser.to_provider(f"/v1/policies?window={number}") for number in (1, 2)]
    for number, address in enumerate(there, 1):
        answer = browser.get(at_provider(address, sub))
        assert answer.headers["location"] == f"/v1/policies?window={number}"


def test_what_the_provider_refuses_is_said_without_its_words(browser: Browser, idp: Provider) -> None:
    state = query_of(browser.to_provider())["state"]
    denied = browser.get("/login/oidc/callback", params={"state": state, "error": "access_denied"})
    assert refused(denied, "did not sign you in (access_denied)")
    state = query_of(browser.to_provider())["state"]
    odd = {"state": state, "error": "sentinel-41", "error_description": "sentinel-42"}
    answer = browser.get("/login/oidc/callback", params=odd)
    assert refused(answer, "did not sign you in (another error)")
    assert "sentinel" not in answer.text


@pytest.mark.parametrize(
    ("groups", "claims", "code"),
    [
        ((), {}, "no_role"),
        (("unknown",), {}, "no_role"),
        (("nowhere",), {}, "no_role"),
        (("everybody",), {"email_verified": False}, "email_unverified"),
        (("everybody",), {"email": "two words@example.com"}, "bad_name"),
        (("everybody",), {"email": ""}, "no_name"),
    ],
)
def test_who_has_no_place_here_is_told_why_and_leaves_a_row(
    browser: Browser, idp: Provider, entry: Door, groups: tuple[str, ...], claims: Claims, code: str
) -> None:
    sub = idp.person(f"sub-{code}-{len(groups)}", f"{code}@example.com", *groups, **claims)
    answer = browser.get(at_provider(browser.to_provider(), sub), headers={"Accept": "application/json"})
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == f"urn:spendgate:problem:{code}"
    assert "two words" not in answer.text
    row = trail(entry, audit.SYSTEM)[-1]
    assert (row.action, row.why) == ("refused", answer.json()["detail"])
    assert sub in str(row.after)


# Whose person it is


def test_an_account_keeps_its_person_and_nobody_takes_its_name(browser: Browser, idp: Provider) -> None:
    idp.person("sub-ann", "ann@example.com", "everybody")
    assert browser.by_provider("sub-ann").status_code == 303
    idp.person("sub-ann", "ann.married@example.com", "everybody")
    assert browser.by_provider("sub-ann").status_code == 303
    assert browser.me.json()["person"] == "ann@example.com"
    idp.person("sub-impostor", "Ann@example.com", "everybody")
    assert refused(browser.by_provider("sub-impostor"), "belongs to another of its accounts")


def test_who_drafted_with_a_key_does_not_approve_by_the_provider(browser: Browser, idp: Provider, entry: Door) -> None:
    author = idp.person("sub-author", "author@example.com", "finance")
    other = idp.person("sub-other", "other@example.com", "finance")
    with entry.as_("editor", "Author@example.com") as by_key:
        hash_ = draft(by_key)["latest"]["hash"]
        wanted = {"hash": hash_, "waiver": "without history"}
        asked = by_key.post(f"/v1/policies/{NAME}/stagings", json=wanted).json()
    assert browser.by_provider(author).status_code == 303
    proven = {**browser.own_page, "Accept": "application/json"}
    at_ = f"/v1/stagings/{asked['id']}/approve"
    headers = {**proven, "X-CSRF-Token": browser.token, "If-Match": '"1"'}
    assert browser.post(at_, json={}, headers=headers).json()["type"] == "urn:spendgate:problem:own_work"
    assert browser.by_provider(other).status_code == 303
    headers = {**proven, "X-CSRF-Token": browser.token, "If-Match": '"1"'}
    assert browser.post(at_, json={}, headers=headers).json()["decided_by"] == "other@example.com"


# The provider away


@pytest.mark.parametrize("broken", ["/oauth2/token", "/jwks"])
def test_while_the_provider_is_out_of_order_it_is_said_and_keys_go_on(
    browser: Browser, idp: Provider, entry: Door, broken: str
) -> None:
    idp.alg = "forged"  # so that its keys are read anew
    assert refused(browser.by_provider(idp.person("sub-away", "away@example.com", "everybody")), "cannot be trusted")
    idp.honest()
    idp.broken = {broken}
    answer = browser.by_provider("sub-away")
    assert refused(answer, "identity provider answers 500; keys go on", 503)
    assert int(answer.headers["retry-after"]) > 0
    assert browser.by_key(entry.key("viewer")).status_code == 303
    idp.honest()
    assert browser.by_provider("sub-away").status_code == 303


# Attempts, and what is told to nobody


def test_after_many_refusals_an_address_waits_and_they_are_counted(
    browser: Browser, entry: Door, idp: Provider
) -> None:
    counted = 'spendgate_sign_ins_total{said="refused",way="oidc"} '
    for _ in range(ATTEMPTS):
        assert refused(browser.get("/login/oidc/callback?state=guessed&code=guessed"), "not begun in this browser")
    for path in ("/login/oidc/callback?state=guessed&code=guessed", "/login/oidc"):
        answer = browser.get(path)
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)
    with Browser(entry) as another:
        assert another.get("/login/oidc").status_code == 302
    lines = httpx.get(f"{entry.url}/metrics").text.splitlines()
    assert any(line.startswith(counted) and float(line.removeprefix(counted)) >= ATTEMPTS for line in lines)


def test_nothing_that_lets_anybody_in_is_logged_or_stored(browser: Browser, entry: Door, idp: Provider) -> None:
    there = browser.to_provider()
    back = at_provider(there, idp.person("sub-quiet", "quiet@example.com", "everybody"))
    assert browser.get(back).status_code == 303
    session, token = browser.cookies["spendgate"], browser.token
    out = browser.submit("/logout")
    key = entry.key("viewer")
    assert browser.by_key(key).status_code == 303
    verifier = next(said["code_verifier"] for path, said in reversed(idp.seen) if path == "/oauth2/token")
    sent, came = query_of(there), query_of(back)
    told = [
        SECRET, session.partition(".")[2], token, key[17:], verifier, sent["state"], sent["nonce"], came["code"],
        query_of(leads_to(out))["id_token_hint"], browser.cookies["spendgate"].partition(".")[2],
    ]  # fmt: skip
    kept = entry.output.read_bytes() + b"".join(each.read_bytes() for each in entry.folder.glob("store.db*"))
    assert [each for each in told if each.encode() in kept] == []
    assert b"Traceback" not in entry.output.read_bytes()
