"""The commands of gate, certificate and flag: what they print, and their exit codes, against a real door."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policy_store.signing import make_key_file
from tests.door.conftest import Door
from tests.door.proven import record, staged
from tests.door.test_commands import run
from tests.store.scenes import source

NAME = "marketing-monthly"
Env = dict[str, str]


@pytest.fixture(scope="module")
def door(shared_door: Door) -> Door:
    """A door whose installation is run by the tenant home."""
    shared_door.stop()
    shared_door.start(SPENDGATE_HOME_TENANT="home")
    return shared_door


def operator(door: Door, person: str, tenant: str) -> Env:
    return {"SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": door.key("operator", person, tenant)}


def asked(printed: str) -> str:
    """The id of a request, as the command printed it."""
    return printed.split(":", 1)[0]


def test_the_whole_way_by_commands(door: Door, tmp_path: Path) -> None:
    cat, dan = operator(door, "cat", "home"), operator(door, "dan", "home")
    staging = staged(door, "home")
    assert "Shadow only: nothing is blocked." in run("enforcement", "status", env=cat)
    shut = run("gate", NAME, env=cat, code=1)
    assert f"{NAME} {staging}  observing" in shut
    assert "missing, and not ready before" in shut
    for level in ("global", "tenant"):
        id_ = asked(run("enforcement", level, "on", "--why", "we begin", env=cat))
        assert "who is not cat" in run("enforcement", "confirm", id_, env=cat, code=4)
        assert run("enforcement", "confirm", id_, env=dan).startswith(f"on: {level} flag")
    assert "its gate is observing: a round of the reconciliation: there has been none" in run(
        "enforcement", "request", NAME, "--why", "early", env=cat, code=4
    )
    record(door, "home", staging)
    found = json.loads(run("gate", NAME, "--json", "--history", "5", env=cat))
    assert (found["state"], len(found["history"])) == ("ready", 1)
    assert "ready" in run("gate", NAME, "--history", "5", env=cat)

    id_ = asked(run("enforcement", "request", NAME, "--why", "proven", "--share", "team=10%", env=cat))
    assert "for 10 % of calls by team, asked for by cat: proven" in run("enforcement", "status", env=dan)
    assert "on certificate crt-" in run("enforcement", "confirm", id_, "--why", "agreed", env=dan)
    assert f"Enforced: {NAME} ({staging}) for 10 % of calls by team" in run("enforcement", "status", env=cat)
    other = asked(run("enforcement", "request", NAME, "--why", "more", "--only", "team=growth,ads", env=cat))
    assert "withdrawn by dan" in run("enforcement", "withdraw", other, env=dan)
    assert f"{other}: withdrawn" in run("enforcement", "requests", env=cat)

    file = tmp_path / "certificate.json"
    file.write_text(run("certificate", "show", NAME, "--raw", env=cat))
    assert "it holds now" in run("certificate", "show", NAME, env=cat)
    assert staging in run("certificate", "show", str(file))
    assert run("certificate", "verify", str(file), "--key", door.signer.public).startswith("valid\n")

    assert run("enforcement", "off", NAME, env=cat).splitlines() == [
        f"off: policy flag of {staging}", f"in shadow: {staging}",
    ]  # fmt: skip
    assert run("enforcement", "off", "--all", "--why", "over", env=cat) == "off: tenant flag of home\n"
    assert run("enforcement", "off", "--all", env=cat) == "nothing was on\n"
    assert run("enforcement", "global", "off", env=cat) == "off: global flag\n"
    assert "Shadow only" in run("enforcement", "status", env=cat)


def test_the_global_flag_is_turned_off_at_the_store_where_no_door_answers(door: Door) -> None:
    cat, dan = operator(door, "cat", "home"), operator(door, "dan", "home")
    run("enforcement", "confirm", asked(run("enforcement", "global", "on", "--why", "again", env=cat)), env=dan)
    store = ["--store", door.store_url, "--key-file", str(door.folder / "store.pem")]
    assert run("enforcement", "global", "off", *store) == "off: global flag\n"
    assert run("enforcement", "global", "off", *store) == "nothing was on\n"
    wrong = ["--store", "sqlite:////nowhere/at/all.db", *store[2:]]
    assert "cannot be opened" in run("enforcement", "global", "off", *wrong, code=3)


def test_criteria_and_waivers_by_commands(door: Door) -> None:
    cat = operator(door, "cat", "cli-criteria")
    staging = staged(door, "cli-criteria")
    assert "events=1000" in run("criteria", "show", env=cat)
    assert "changed by cat" in run("criteria", "set", "events=2000", "near_cap=2", "--why", "more traffic", env=cat)
    assert "rules.hours" in run("criteria", "set", "hours=0", "--why", "at once", env=cat, code=2)
    assert "only fields of the schema" in run("criteria", "set", "luck=7", "--why", "hm hm", env=cat, code=2)
    assert "such as events=5000" in run("criteria", "set", "events", "--why", "hm hm", env=cat, code=2)
    assert "there is none" in run("waiver", "list", NAME, env=cat)
    given = run("waiver", "give", NAME, "bill", "--why", "a flat fee", env=cat)
    assert "bill, by cat" in given
    assert "criterion" in run("waiver", "give", NAME, "counters", "--why", "never mind", env=cat, code=2)
    assert "taken back by cat" in run("waiver", "end", asked(given), env=cat)
    record(door, "cli-criteria", staging)
    assert run("gate", NAME, "--staging", staging, env=cat)
    assert "expected one with a staging" in run("gate", "unknown", env=cat, code=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--share", "team"], "such as team=10%"),
        (["--share", "team=x%"], "such as team=10%"),
        (["--only", "team="], "such as team=growth,ads"),
        (["--share", "team=5%", "--only", "team=a"], "not both"),
        (["--share", "shoe=5%"], "share.by"),
        (["--share", "team=101%"], "share.percent"),
    ],
)
def test_a_share_that_is_none_is_told(door: Door, options: list[str], words: str) -> None:
    cat = operator(door, "cat", "cli-shares")
    told = run("enforcement", "request", NAME, "--staging", "stg-1", "--why", "some", *options, env=cat, code=2)
    assert words in told


def test_a_certificate_is_verified_offline_and_refused_by_name(door: Door, tmp_path: Path) -> None:
    cat = operator(door, "cat", "cli-certificates")
    staging = staged(door, "cli-certificates")
    assert "no certificate" in run("certificate", "show", NAME, env=cat, code=2)
    record(door, "cli-certificates", staging)
    file, policy = tmp_path / "c.json", tmp_path / "p.yaml"
    file.write_text(run("certificate", "show", NAME, "--raw", env=cat))
    key = ["--key", door.signer.public]
    policy.write_text(source("500"))
    assert "valid" in run("certificate", "verify", str(file), *key, "--policy", str(policy), "--staging", staging)
    assert "valid" in run("certificate", "verify", "-", stdin=file.read_text(), env={"SPENDGATE_STORE_KEYS": key[1]})
    policy.write_text(source("600"))
    later = (datetime.now(UTC) + timedelta(days=8)).isoformat()
    other = make_key_file(tmp_path / "stranger.pem")
    for options, name in (
        ([*key, "--policy", str(policy)], "other_version"),
        ([*key, "--staging", "stg-2"], "other_staging"),
        ([*key, "--tenant", "acme"], "other_tenant"),
        ([*key, "--engine", "1+tzdata.2020.1"], "other_engine"),
        ([*key, "--at", later], "expired"),
        (["--key", other.public], "unknown_key"),
    ):
        assert run("certificate", "verify", str(file), *options, code=1).startswith(f"refused: {name}: "), name
    file.write_text(file.read_text().replace('"staging":"stg', '"staging":"stx'))
    assert "refused: bad_signature" in run("certificate", "verify", str(file), *key, code=1)
    assert "expected --key" in run("certificate", "verify", str(file), env={"SPENDGATE_STORE_KEYS": ""}, code=2)
    assert "base64 of 32 bytes" in run("certificate", "verify", str(file), "--key", "x", code=2)
    assert "--at: expected an instant" in run("certificate", "verify", str(file), *key, "--at", "now", code=2)
    (tmp_path / "x").write_text("{}")
    assert "unreadable" in run("certificate", "show", str(tmp_path / "x"), code=2)
