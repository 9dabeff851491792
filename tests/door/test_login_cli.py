"""A key for a command by way of a browser: to who asked, for once, for a while, and never by a key."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from policy_store.login_codes import challenge_of
from policy_store.people import Account
from tests.door.browser import Browser, fields_of, leads_to, query_of
from tests.door.conftest import ROOT, TENANT, Door
from tests.door.entry import browser, entry, idp, running, trail
from tests.door.test_commands import run
from tests.live.waiting import until
from tests.login.provider import Provider
from tests.store.scenes import source

__all__ = ["browser", "entry", "idp", "running"]

COMMAND = str(Path(sys.executable).with_name("spendgate"))
VERIFIER, STATE = "v" * 43, "s" * 24
ASKED = {"port": "", "state": STATE, "challenge": challenge_of(VERIFIER)}


@pytest.fixture
def person(browser: Browser, idp: Provider) -> Browser:
    """The browser of somebody with two roles of acme."""
    sub = idp.person("sub-cli", "cli@example.com", "everybody", "engineers")
    assert browser.by_provider(sub).status_code == 303
    return browser


def code_of(person: Browser, grant: str = f"{TENANT} editor") -> str:
    page = person.submit("/login/cli", **ASKED, grant=grant)
    found = re.search("<code>([A-Za-z0-9]{43})</code>", page.text)
    assert found is not None, page.text
    return found[1]


def redeemed(door: Door, code: str, verifier: str = VERIFIER) -> httpx.Response:
    headers = {"X-Forwarded-For": "10.99.0.1"}
    return httpx.post(f"{door.url}/login/cli/token", json={"code": code, "verifier": verifier}, headers=headers)


@pytest.fixture
def command(entry: Door, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`spendgate login --browser`, waiting; what it would open a browser with does nothing."""
    started = subprocess.Popen(
        [COMMAND, "login", entry.url, "--browser", "--role", "editor"], cwd=ROOT,
        env={**os.environ, "SPENDGATE_HOME": str(tmp_path), "BROWSER": "true"}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    yield started
    started.kill()
    started.communicate()


def test_the_command_gets_a_key_of_who_agrees_in_the_browser(
    person: Browser, entry: Door, command: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert command.stderr is not None
    address = command.stderr.readline().split()[-1]
    page = person.get(address)
    assert f'value="{TENANT} editor" checked' in page.text
    answer = person.submit("/login/cli", **fields_of(page), grant=f"{TENANT} editor")
    back = leads_to(answer)
    assert back.startswith(f"http://127.0.0.1:{query_of(address)['port']}/")
    wrong = httpx.get(back.replace("state=", "state=x"))
    assert (wrong.status_code, "not the answer" in wrong.text) == (400, True)
    assert "Done" in httpx.get(back).text
    out, err = command.communicate(timeout=60)
    assert (command.returncode, "a key until" in err) == (0, True), err
    assert out.startswith(f"cli@example.com, editor of {TENANT}; kept in ")
    kept = tmp_path / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    env = {"SPENDGATE_HOME": str(tmp_path)}
    (tmp_path / "p.yaml").write_text(source("5", "by-browser"))
    assert run("policy", "create", str(tmp_path / "p.yaml"), env=env).startswith("draft: by-browser")
    with entry.as_("operator") as operator:
        listed = {each["id"]: each for each in operator.get("/v1/keys").json()}
        made = listed[json.loads(kept.read_text())["key"][4:16]]
        assert made["expires_at"] is not None
        assert (made["person"], made["role"], made["created_by"]) == ("cli@example.com", "editor", "cli@example.com")


def test_a_code_can_be_carried_over_by_hand(person: Browser, entry: Door, tmp_path: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "login", entry.url, "--paste"], cwd=ROOT, text=True,
        env={**os.environ, "SPENDGATE_HOME": str(tmp_path)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:  # fmt: skip
        assert started.stderr is not None
        page = person.get(started.stderr.readline().split()[-1])
        answer = person.submit("/login/cli", **fields_of(page), grant=f"{TENANT} viewer")
        found = re.search("<code>([A-Za-z0-9]{43})</code>", answer.text)
        assert found is not None
        out, err = started.communicate(f"{found[1]}\n", timeout=60)
    assert started.returncode == 0, err
    assert out.startswith(f"cli@example.com, viewer of {TENANT}")


def test_a_code_is_for_who_began_and_for_once(person: Browser, entry: Door) -> None:
    code = code_of(person)
    assert redeemed(entry, code, "w" * 43).status_code == 403
    made = redeemed(entry, code)
    assert (made.status_code, made.json()["about"]["role"]) == (201, "editor")
    assert redeemed(entry, code).status_code == 403
    assert redeemed(entry, "a" * 43).status_code == 403
    assert [redeemed(entry, "short").status_code, redeemed(entry, code, "short").status_code] == [422, 422]
    actions = [(row.who, row.action, row.subject) for row in trail(entry, TENANT)[-2:]]
    id_ = made.json()["about"]["id"]
    assert actions == [("cli@example.com", "create", f"key {id_}"), ("cli@example.com", "login", f"key {id_}")]


def test_a_code_stands_for_no_more_than_the_session_and_ends_with_it(person: Browser, entry: Door) -> None:
    assert person.submit("/login/cli", **ASKED, grant=f"{TENANT} operator").status_code == 409
    assert person.submit("/login/cli", **ASKED, grant="labs viewer").status_code == 409
    code = code_of(person)
    assert person.submit("/logout").status_code == 200
    assert redeemed(entry, code).status_code == 403


def test_no_key_comes_of_a_key(browser: Browser, entry: Door) -> None:
    assert browser.by_key(entry.key("operator")).status_code == 303
    for answer in (
        browser.get("/login/cli", params=ASKED),
        browser.submit("/login/cli", **ASKED, grant=f"{TENANT} operator"),
    ):
        assert (answer.status_code, "key gives no other keys" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": "80"},
        {"port": "70000"},
        {"port": "2000@evil.example"},
        {"state": "a b"},
        {"state": ""},
        {"challenge": "x"},
    ],
)
def test_a_question_that_no_command_asks_gets_no_code(person: Browser, wrong: dict[str, str]) -> None:
    assert person.get("/login/cli", params={**ASKED, **wrong}).status_code == 422
    assert person.submit("/login/cli", **{**ASKED, **wrong}, grant=f"{TENANT} editor").status_code == 422


def test_operators_list_and_end_sessions_by_command(person: Browser, entry: Door) -> None:
    env = {"SPENDGATE_URL": entry.url, "SPENDGATE_API_KEY": entry.key("operator", "op")}
    id_ = person.me.json()["id"]
    assert id_ in [
        each["id"] for each in json.loads(run("session", "list", "--person", "cli@example.com", "--json", env=env))
    ]
    assert "cli@example.com" in run("session", "list", env={**env, "COLUMNS": "200"})
    assert run("session", "revoke", id_, "--why", "a lost laptop", env=env) == f"revoked: {id_}\n"
    until(lambda: person.me.status_code == 401, "the session to be over")
    assert "over already" in run("session", "revoke", id_, env=env, code=4)
    assert run("session", "revoke", "--person", "cli@example.com", env=env).endswith("of cli@example.com\n")
    assert "expected a session's ID" in run("session", "revoke", env=env, code=2)


def test_an_administrator_links_a_name_to_the_person_of_older_keys(person: Browser, entry: Door, idp: Provider) -> None:
    store = ["--store", entry.store_url]
    entry.key("editor", "old-cli")
    found = json.loads(run("admin", "people", "list", "--json", *store))
    assert "old-cli" in found["keys_only"]
    assert Account(idp.issuer, "sub-cli") in [Account(each["issuer"], each["subject"]) for each in found["people"]]
    assert run("admin", "people", "link", "cli@example.com", "old-cli", *store) == "cli@example.com is old-cli\n"
    until(lambda: person.me.status_code == 401, "the session as who they were to be over")
    assert person.by_provider("sub-cli").status_code == 303
    assert person.me.json()["person"] == "old-cli"
    assert run("admin", "people", "link", "cli@example.com", "cli@example.com", *store)
    assert run("admin", "people", "free", "cli@example.com", *store) == "free: cli@example.com\n"
    assert "nobody has signed in" in run("admin", "people", "free", "nobody@example.com", *store, code=4)
    assert "expected 1 to 128" in run("admin", "people", "link", "a b", "c", *store, code=2)
    assert "cli@example.com" in run("admin", "people", "list", *store, env={"COLUMNS": "200"})
    told = json.loads(run("admin", "people", "trail", "--json", *store))
    assert [each["action"] for each in told[-3:]] == ["link", "link", "free"]
    assert "free" in run("admin", "people", "trail", *store, env={"COLUMNS": "200"})
