"""Laws of what forms change: it is what the API would have changed, it is told, and what is refused loses nothing."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway_shadow.pages import criteria_view
from spendgate.reconcile.gate_rules import GateRules
from spendgate.reconcile.public_keys import public_text
from tests.door.browser import Browser
from tests.door.conftest import Door
from tests.door.receiver import Says, receiving
from tests.engine.scenes import TENANT
from tests.pages.conftest import POLICY, browser_of
from tests.pages.reader import read


@pytest.fixture(scope="module")
def op(house: Door) -> Iterator[Browser]:
    """An operator's browser."""
    found = browser_of(house, "operator", "olga")
    yield found
    found.close()


def field_of(text: str, name: str) -> str:
    """What a text field of a page holds."""
    found = re.search(rf'name="{re.escape(name)}" type="text" value="([^"]*)"', text)
    assert found is not None, name
    return unescape(found[1])


def words_of(text: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def revision_at(op: Browser, address: str, action: str) -> str:
    """The revision that a form of a page was made for."""
    found = re.search(rf'action="{re.escape(action)}".*?name="revision" value="(\d+)"', op.get(address).text, re.DOTALL)
    assert found is not None, action
    return found[1]


def test_a_target_is_added_tried_changed_and_removed_and_its_secrets_are_shown_once(op: Browser) -> None:
    with receiving() as receiver:
        url = receiver.url("/a-path-that-is-a-secret")
        made = op.submit("/alerts/targets", name="hook", kind="webhook", url=url, from_percent="1")
        secret = re.search("whsec_[0-9A-Za-z+/=]{20,}", made.text)
        assert made.status_code == 200
        assert secret is not None
        at = "/alerts/targets/hook"
        tried = op.submit(f"{at}/test")
        assert "The test was delivered: answered 200" in words_of(tried.text)
        assert len(receiver.got) == 1
        receiver.answering = lambda _: Says(500)
        assert "The test was not delivered: answered 500" in words_of(op.submit(f"{at}/test").text)
        turned = op.submit(f"{at}/rotate", revision=revision_at(op, at, f"{at}/rotate"), overlap="an hour")
        other = re.search("whsec_[0-9A-Za-z+/=]{20,}", turned.text)
        assert other is not None
        assert other[0] != secret[0]
        assert "Signed with both secrets until" in turned.text
        stale = revision_at(op, at, f"{at}/edit")
        said = {"policies": "cap*, other", "kinds.cap": "yes", "from_percent": "80", "url": ""}
        assert op.submit(f"{at}/edit", revision=stale, **said).headers["location"] == f"{at}?done=saved"
        page = op.get(at)
        assert "It is off: nothing is sent to it." in page.text
        assert 'value="cap*, other"' in page.text
        assert (secret[0] in page.text, other[0] in page.text, "a-path" in page.text) == (False, False, False)
        late = op.submit(f"{at}/edit", revision=stale, **said)
        assert (late.status_code, "It has changed meanwhile" in late.text) == (412, True)
        gone = op.submit(f"{at}/remove", revision=revision_at(op, at, f"{at}/remove"))
        assert gone.headers["location"] == "/alerts?done=removed"
        assert op.get(at).status_code == 404


def test_a_target_that_is_refused_is_told_at_its_fields_with_what_was_typed(op: Browser) -> None:
    answer = op.submit("/alerts/targets", name="a b", kind="pager", url="ftp://x", from_percent="many", policies="p-*")
    assert answer.status_code == 422
    assert read(answer.text).found() == []
    for field in ("name", "kind", "from_percent"):
        assert f'id="e-{field}"' in answer.text
    assert all(f'value="{each}"' in answer.text for each in ("a b", "ftp://x", "many", "p-*"))
    late = op.submit("/alerts/targets", name="fine", kind="slack", url="http://192.0.2.1/x", from_percent="1")
    assert (late.status_code, 'id="e-url"' in late.text) == (422, True)


def test_an_alert_is_sent_again_by_an_operator_and_by_nobody_else(house: Door, op: Browser) -> None:
    with closing(browser_of(house, "viewer", "vic")) as viewer:
        assert "over the cap of $20.00" in viewer.get("/alerts").text
        assert "127.0.0.1" not in viewer.get("/alerts").text
        for path in ("/alerts/targets", "/alerts/targets/ops/test", "/alerts/alr-1/resend"):
            assert viewer.submit(path).status_code == 403
    assert op.submit("/alerts/alr-1/resend", target="nobody").status_code == 404


def test_modes_scopes_and_retention_are_changed_by_a_form_and_a_refusal_stands_at_its_field(op: Browser) -> None:
    revision = revision_at(op, "/privacy", "/privacy")
    said = {"settings.mode": "metadata_only", "settings.retention_days": "7", "why": "a trial"}
    more = op.submit("/privacy", act="add", revision=revision, **said)
    assert (more.status_code, read(more.text).found()) == (200, [])
    assert (field_of(more.text, "settings.retention_days"), field_of(more.text, "why")) == ("7", "a trial")
    at = "settings.scopes.0"
    said |= {
        f"{at}.mode": "fingerprint_only",
        f"{at}.scope.team": "legal, law-*",
        f"{at}.scope.exclude.model": "gpt-4*",
    }
    wrong = op.submit("/privacy", act="save", revision=revision, **said | {f"{at}.scope.team": "a b\x00"})
    assert (wrong.status_code, f'id="e-{at}.scope.team"'.replace(".", "-") in wrong.text) == (422, True)
    done = op.submit("/privacy", act="save", revision=revision, **said)
    assert done.headers["location"] == "/privacy?done=private"
    page = op.get("/privacy").text
    assert "fingerprint only: team legal, law-*; but not model gpt-4*" in words_of(page)
    settings = op.get("/v1/privacy", headers={"Accept": "application/json"}).json()["settings"]
    scope = {"team": ["legal", "law-*"], "exclude": {"model": ["gpt-4*"]}}
    assert settings == {"mode": "metadata_only", "retention_days": 7,
                        "scopes": [{"mode": "fingerprint_only", "scope": scope}]}  # fmt: skip
    late = op.submit("/privacy", act="save", revision=revision, **said)
    assert (late.status_code, "It has changed meanwhile" in late.text) == (412, True)
    less = op.submit("/privacy", act="remove:0", revision=revision, **said)
    assert f'name="{at}.mode"' not in less.text


def test_a_key_of_fingerprints_is_rotated_and_the_old_one_destroyed(op: Browser) -> None:
    settings = {"settings.mode": "fingerprint_only", "settings.retention_days": "7", "why": "a trial"}
    op.submit("/privacy", revision=revision_at(op, "/privacy", "/privacy"), **settings)
    assert op.submit("/privacy/keys/rotate", purpose="fingerprint", why="").status_code == 422
    turned = op.submit("/privacy/keys/rotate", purpose="fingerprint", why="a year has passed")
    assert turned.headers["location"] == "/privacy?done=rotated"
    old = re.search(r'action="/privacy/keys/(fp-[^/]+)/destroy"', op.get("/privacy").text)
    assert old is not None
    gone = op.submit(f"/privacy/keys/{old[1]}/destroy", why="nothing is compared with it")
    assert gone.headers["location"] == "/privacy?done=destroyed"
    assert old[1] not in op.get("/privacy").text


def test_a_gateways_key_is_registered_and_revoked(house: Door, op: Browser) -> None:
    bad = op.submit("/privacy/gateways", name="edge", public="no key")
    assert (bad.status_code, 'id="e-public"' in bad.text, field_of(bad.text, "name")) == (422, True, "edge")
    assert op.submit("/privacy/gateways", name="edge", public="AAAA").status_code == 409
    public = public_text(Ed25519PrivateKey.generate().public_key())
    made = op.submit("/privacy/gateways", name="edge", public=public, why="ours")
    assert made.headers["location"] == "/privacy?done=registered"
    id_ = re.search(r'action="/privacy/gateways/([^/]+)/revoke"', op.get("/privacy").text)
    assert id_ is not None
    assert op.submit(f"/privacy/gateways/{id_[1]}/revoke", why="lost").headers["location"] == "/privacy?done=revoked"
    with closing(browser_of(house, "editor", "eddy")) as editor:
        assert '<form method="post" action="/privacy' not in editor.get("/privacy").text
        for path in ("/privacy", "/privacy/keys/rotate", "/privacy/gateways", f"/privacy/gateways/{id_[1]}/revoke"):
            assert editor.submit(path).status_code == 403


def test_criteria_are_changed_within_their_limits_with_a_reason_and_dollars_are_nano_usd(op: Browser) -> None:
    page, at = op.get("/gate/criteria").text, "/gate/criteria"
    said = {f"rules.{name}": field_of(page, f"rules.{name}") for name in GateRules.model_fields}
    revision = revision_at(op, at, at)
    assert criteria_view.rules_of(said) == GateRules().model_dump()
    wrong = op.submit(at, revision=revision, why="x", **said | {"rules.events": "29", "rules.bill_nano_usd": "2.0"})
    assert wrong.status_code == 422
    told = [name for name in (*said, "why") if f'id="e-{name.replace(".", "-")}"' in wrong.text]
    assert told == ["rules.events", "rules.bill_nano_usd", "why"]
    assert "expected $0 to $1; $0.01 is usual" in wrong.text
    done = op.submit(at, revision=revision, why="a small team", **said | {"rules.bill_nano_usd": "0.5"})
    assert done.headers["location"] == f"{at}?done=criteria"
    rules = op.get("/v1/gate/criteria", headers={"Accept": "application/json"}).json()["rules"]
    assert rules == {**GateRules().model_dump(), "bill_nano_usd": 500_000_000}
    assert op.submit(at, revision=revision, why="a small team", **said).status_code == 412


def test_a_waiver_is_given_and_taken_back_on_the_gates_page(op: Browser, ids: Callable[[str], str]) -> None:
    at = ids("/gate/STAGING")
    assert op.submit(f"{at}/waive", criterion="bill", why="no").status_code == 422
    assert op.submit(f"{at}/waive", criterion="bill", why="the vendor sends none").status_code == 303
    found = re.search(rf'action="({at}/waivers/[^/"]+/end)"', op.get(at).text)
    assert found is not None
    assert op.submit(found[1]).headers["location"] == f"{at}?done=counts"
    assert "(ended by olga)" in op.get(at).text


def test_a_key_is_rotated_and_goes_on_beside_the_new_one_which_is_shown_once(house: Door, op: Browser) -> None:
    text = house.key("viewer", "rita", TENANT)
    id_ = text.removeprefix("sgk_").partition("_")[0]
    made = op.submit(f"/keys/{id_}/rotate", overlap="a day")
    shown = re.search("sgk_[0-9A-Za-z_]{20,}", made.text)
    assert (made.status_code, shown is not None, read(made.text).found()) == (200, True, [])
    assert shown is not None
    for key in (text, shown[0]):
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"{house.url}/v1/me", headers=headers).json()["person"] == "rita"
    assert shown[0] not in op.get("/keys").text
    assert op.submit(f"/keys/{id_}/rotate", overlap="an hour", expires_at="2020-01-01").status_code == 409
    assert op.submit(f"/keys/{id_}/rotate", overlap="not at all").status_code == 200
    assert op.submit(f"/keys/{id_}/rotate").status_code == 409
    assert f'action="/keys/{id_}/' not in op.get("/keys").text


def hidden(text: str, name: str) -> str:
    """What a page keeps under a name: a hidden field, or a text."""
    found = re.search(rf'name="{re.escape(name)}"[^>]*(?: value="([^"]*)"|>([^<]*)</textarea>)', text)
    assert found is not None, name
    return unescape(found[1] or found[2] or "").removeprefix("\n")


def saved(editor: Browser, page: str, text: str) -> httpx.Response:
    """Save a text of the policy ``two`` from the page that it was begun on."""
    said = {name: hidden(page, name) for name in ("revision", "base")}
    return editor.submit("/design/two", act="save", yaml=text, last="yaml", **said)


def test_two_who_edit_one_policy_both_have_their_way_and_choose_where_they_meet(house: Door) -> None:
    with closing(browser_of(house, "editor", "eda")) as one, closing(browser_of(house, "editor", "eve")) as two:
        text = POLICY.replace("capped", "two")
        assert one.submit("/design", act="save", yaml=text, last="yaml").status_code == 303
        begun = [each.get("/design/two").text for each in (one, two)]
        theirs, mine = text.replace("finance", "treasury"), f"# enough\n{text.replace('20', '30')}"
        assert saved(one, begun[0], theirs).status_code == 303
        late = saved(two, begun[1], mine)
        assert (late.status_code, read(late.text).found()) == (412, [])
        assert "Merged with what eda has saved meanwhile" in late.text
        both = hidden(late.text, "yaml")
        assert both == mine.replace("finance", "treasury")
        assert saved(two, late.text, both).headers["location"] == "/policies/two?done=drafted"
        begun = [each.get("/design/two").text for each in (one, two)]
        assert saved(one, begun[0], both.replace('"30"', '"35"').replace("deny", "warn")).status_code == 303
        met = saved(two, begun[1], both.replace('"30"', '"40"').replace("[team]", "[team, agent]"))
        assert (met.status_code, read(met.text).found()) == (412, [])
        place = "pick:spec.rules[0].budget.cap_usd"
        assert met.text.count(f'name="{place}"') == 2
        assert ("Mine: $40" in words_of(met.text), "By eda: $35" in words_of(met.text)) == (True, True)
        kept = {name: hidden(met.text, name) for name in ("base", "theirs", "revision", "mine")}
        merged = two.submit("/design/two/merge", **kept, **{place: "theirs"})
        assert (merged.status_code, read(merged.text).found()) == (200, [])
        chosen = hidden(merged.text, "yaml")
        assert all(each in chosen for each in ('"35"', "# enough", "[team, agent]", "on_breach: warn", "treasury"))
        assert saved(two, merged.text, chosen).headers["location"] == "/policies/two?done=drafted"
