"""The commands of privacy: over the API, and at the stores themselves."""

import json
import stat
from base64 import b64decode
from pathlib import Path

import pytest

from policy_store.master_keys import read_master_key_file
from tests.door.conftest import Door
from tests.door.test_adapters import call
from tests.door.test_commands import run
from tests.live.waiting import until

WHY = ("--why", "for the test")
Env = dict[str, str]


@pytest.fixture
def operator(shared_door: Door, request: pytest.FixtureRequest) -> tuple[Env, str]:
    """The environment of an operator, and their tenant."""
    tenant = f"privacy-cli-{abs(hash(request.node.name)) % 10**8}"
    return {"SPENDGATE_URL": shared_door.url, "SPENDGATE_API_KEY": shared_door.key("operator", "op", tenant)}, tenant


def test_settings_are_shown_and_set_whole_or_in_part(operator: tuple[Env, str], tmp_path: Path) -> None:
    env, _ = operator
    assert run("privacy", "show", env=env) == "mode: metadata_only\ncontent is kept for 30 days\n"
    assert run("privacy", "set", "--mode", "fingerprint_only", *WHY, env=env).startswith("mode: fingerprint_only")
    file = tmp_path / "privacy.yaml"
    file.write_text("mode: metadata_only\nretention_days: 7\nscopes:\n- mode: full_trace\n  scope: {team: [debug-*]}\n")
    assert run("privacy", "set", str(file), *WHY, env=env) == (
        'mode: metadata_only\n  full_trace for {"team": ["debug-*"]}\ncontent is kept for 7 days\n'
    )
    assert "kept for 9 days" in run("privacy", "set", "--retention-days", "9", *WHY, env=env)
    shown = json.loads(run("privacy", "show", "--json", env=env))
    assert (shown["revision"], shown["settings"]["scopes"][0]["scope"]) == (3, {"team": ["debug-*"]})
    trail = run("audit", "list", env=env)
    assert trail.count("for the test") == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mode: everything", "mode"),
        ("scopes: [{mode: full_trace}]", "scope"),
        ("mode: [", "2:1"),
        ("- metadata_only", "expected fields"),
        ("mode: metadata_only\nmode: full_trace", "2:1"),
        ("", "expected fields"),
    ],
)
def test_settings_that_cannot_be_are_told_by_place_or_name(
    operator: tuple[Env, str], tmp_path: Path, text: str, words: str
) -> None:
    env, _ = operator
    file = tmp_path / "privacy.yaml"
    file.write_text(text + "\n")
    assert words in run("privacy", "set", str(file), *WHY, env=env, code=2)
    assert run("privacy", "show", env=env).startswith("mode: metadata_only")


def test_what_to_set_must_be_said_once(operator: tuple[Env, str], tmp_path: Path) -> None:
    env, _ = operator
    assert "expected a file, or" in run("privacy", "set", *WHY, env=env, code=2)
    assert "expected a file, or" in run("privacy", "set", "x.yaml", "--mode", "full_trace", *WHY, env=env, code=2)
    assert "expected --source and --id" in run("privacy", "content", "erase", *WHY, env=env, code=2)
    assert "expected --source and --id" in run(
        "privacy", "content", "erase", "--all", "--id", "e", *WHY, env=env, code=2
    )


def test_keys_of_fingerprints_are_listed_rotated_and_destroyed(operator: tuple[Env, str]) -> None:
    env, _ = operator
    assert "there is none yet" in run("privacy", "keys", "rotate", *WHY, env=env, code=4)
    run("privacy", "set", "--mode", "fingerprint_only", *WHY, env=env)
    (old,) = json.loads(run("privacy", "keys", "list", "--json", env=env))
    assert run("privacy", "keys", "rotate", *WHY, env=env).startswith("current: fp-")
    assert run("privacy", "keys", "destroy", old["id"], *WHY, env=env) == f"destroyed: {old['id']}\n"
    listed = run("privacy", "keys", "list", env=env)
    assert listed.count("fp-") == 1


def test_a_gateways_key_is_made_registered_and_revoked(operator: tuple[Env, str], tmp_path: Path) -> None:
    env, _ = operator
    file = tmp_path / "gateway.pem"
    public = run("privacy", "gateway", "make-key", str(file)).splitlines()[-1]
    assert len(b64decode(public)) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "File exists" in run("privacy", "gateway", "make-key", str(file), code=2)
    assert "nobody could send" in run("privacy", "set", "--mode", "private_gateway", *WHY, env=env, code=4)
    id_ = run("privacy", "gateway", "add", "eu", public, env=env).split()[1]
    assert run("privacy", "set", "--mode", "private_gateway", *WHY, env=env).startswith("mode: private_gateway")
    assert id_ in run("privacy", "gateway", "list", env=env)
    assert run("privacy", "gateway", "revoke", id_, *WHY, env=env) == f"revoked: {id_}\n"
    assert "Ed25519" in run("privacy", "gateway", "add", "eu", "AAAA", env=env, code=4)


def test_content_is_read_compared_and_erased(operator: tuple[Env, str], shared_door: Door) -> None:
    env, tenant = operator
    cora = {**env, "SPENDGATE_API_KEY": shared_door.key("content", "cora", tenant)}
    run("privacy", "set", "--mode", "full_trace", *WHY, env=env)
    with shared_door.as_("ingest", tenant=tenant) as client:

        def kept() -> bool:
            return client.post("/v1/events", json=call(0, content={"prompt": "hello"})).status_code == 202

        until(kept, "the mode to be obeyed")
    assert run("privacy", "content", "kept", env=env).startswith("content of 1 calls is kept, the oldest since")
    read = ("privacy", "content", "read", "--source", "http", "--id", "e0", *WHY)
    assert "expected a key with the role content" in run(*read, env=env, code=4)
    assert json.loads(run(*read, env=cora))["prompt"] == "hello"
    compared = run("privacy", "content", "fingerprint", *WHY, env=cora, stdin="hello")
    assert compared == run("privacy", "content", "fingerprint", *WHY, env=cora, stdin='"hello"')
    assert compared.startswith("hmac-sha256:fp-")
    one = ("privacy", "content", "erase", "--source", "http", "--id", "e0", *WHY)
    assert run(*one, env=env) == "erased: content of 1 calls\n"
    assert run("privacy", "content", "erase", "--all", *WHY, env=env) == "erased: content of 0 calls\n"
    assert "none is kept" in run(*read, env=cora, code=2)


def test_master_keys_and_both_schemas_are_the_administrators(tmp_path: Path) -> None:
    master = tmp_path / "master.key"
    env = {
        "SPENDGATE_STORE": f"sqlite:///{tmp_path / 's.db'}", "SPENDGATE_STORE_KEY_FILE": str(tmp_path / "s.pem"),
        "SPENDGATE_CONTENT_STORE": f"sqlite:///{tmp_path / 'c.db'}", "SPENDGATE_MASTER_KEY_FILE": str(master),
    }  # fmt: skip
    assert "keep a copy" in run("admin", "master-key", env=env)
    assert stat.S_IMODE(master.stat().st_mode) == 0o600
    assert read_master_key_file(master)
    assert "File exists" in run("admin", "master-key", env=env, code=2)
    run("admin", "init", "--tenant", "acme", "--person", "ann", env=env)
    assert "the content store's schema is 0001" in run("admin", "migrate", env=env)
    assert run("admin", "reseal", env=env) == "sealed anew: 0\n"
    master.write_text("no key")
    assert "base64 of 32 bytes" in run("admin", "reseal", env=env, code=4)
    assert "SPENDGATE_MASTER_KEY_FILE" in run("admin", "reseal", env={**env, "SPENDGATE_MASTER_KEY_FILE": ""}, code=2)
