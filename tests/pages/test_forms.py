"""Laws of what forms change: it is what the API would have changed, it is told, and what is refused loses nothing."""

import re
from collections.abc import Iterator
from contextlib import closing
from html import unescape

import pytest

from tests.door.browser import Browser
from tests.door.conftest import Door
from tests.door.receiver import Says, receiving
from tests.pages.conftest import browser_of
from tests.pages.reader import read


@pytest.fixture(scope="module")
def op(house: Door) -> Iterator[Browser]:
    """An operator's browser."""
    found = browser_of(house, "operator", "olga")
    yield found
    found.close()


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
