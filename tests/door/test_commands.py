"""The commands of the API, and those at the store itself: what they print, and their exit codes."""

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from policy_store import audit
from policy_store.database import Database
from policy_store.migrate import STORE, _script
from policy_store.signing import Signer, Verifier, read_key_file
from policy_store.tables import audit as rows
from spendgate.cli.main import app
from tests.door.conftest import Door
from tests.store.scenes import source

RUN = CliRunner()


def run(*arguments: str, code: int = 0, stdin: str = "", env: dict[str, str] | None = None) -> str:
    """What a command prints, which ends with this exit code."""
    found = RUN.invoke(app, list(arguments), input=stdin, env=env)
    assert found.exit_code == code, (arguments, found.output, found.exception)
    assert "Traceback" not in found.output
    return found.output


@pytest.fixture
def people(shared_door: Door, request: pytest.FixtureRequest) -> dict[str, dict[str, str]]:
    """The environment of an editor, an approver and an operator, of a tenant of their own."""
    tenant = f"cli-{abs(hash(request.node.name)) % 10**8}"
    roles = {"ann": "editor", "bob": "approver", "op": "operator"}
    return {
        person: {"SPENDGATE_URL": shared_door.url, "SPENDGATE_API_KEY": shared_door.key(role, person, tenant)}  # type: ignore[arg-type]
        for person, role in roles.items()
    }


def test_a_policy_lives_its_whole_life_by_commands(people: dict[str, dict[str, str]], tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(source("500"))
    ann, bob = people["ann"], people["bob"]
    assert run("policy", "create", str(file), env=ann).startswith("draft: marketing-monthly")
    assert "not taken" in run("policy", "create", str(file), env=ann, code=4)
    file.write_text(source("600"))
    assert "version 2" in run("policy", "edit", str(file), env=ann)
    assert "$600" in run("policy", "diff", "marketing-monthly", env=ann, code=1)
    assert "simulation of exactly this version" in run("policy", "submit", "marketing-monthly", env=ann, code=4)
    asked = run("policy", "submit", "marketing-monthly", "--waiver", "the team is new", env=ann)
    staging = asked.split()[-1]
    assert "expected a key with the role approver" in run("policy", "approve", staging, env=ann, code=4)
    assert run("policy", "approve", staging, "--why", "agreed", env=bob).startswith("shadow: marketing-monthly")
    assert run("policy", "retire", staging, env=bob).startswith("retired: marketing-monthly")
    found = json.loads(run("policy", "history", "marketing-monthly", "--json", env=ann))
    assert [each["number"] for each in found["versions"]] == [1, 2]
    assert [each["state"] for each in found["stagings"]] == ["retired"]
    assert "retired" in run("policy", "history", "marketing-monthly", env=ann)


def test_a_store_is_made_equal_to_a_folder_and_a_dry_run_changes_nothing(
    people: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    ann = people["ann"]
    for name, cap in (("one", "1"), ("two", "2")):
        (tmp_path / f"{name}.yaml").write_text(source(cap, name))
    assert (
        run("policy", "apply", str(tmp_path), "--dry-run", env=ann, code=1) == "would create: one\nwould create: two\n"
    )
    assert run("policy", "apply", str(tmp_path), env=ann) == "create: one\ncreate: two\n"
    (tmp_path / "two.yaml").write_text(source("3", "two"))
    (tmp_path / "one.yaml").unlink()
    (tmp_path / "three.yaml").write_text(source("3", "three"))
    told = run("policy", "apply", str(tmp_path), env=ann).splitlines()
    assert told[:2] == ["create: three", "edit: two"]
    assert told[2].startswith("not in the folder: one")
    assert run("policy", "apply", str(tmp_path), "--dry-run", env=ann).splitlines()[:2] == [
        "unchanged: three", "unchanged: two",
    ]  # fmt: skip
    (tmp_path / "bad.yaml").write_text(source("a lot", "bad"))
    assert "cap_usd" in run("policy", "apply", str(tmp_path), env=ann, code=2)


def test_keys_are_made_rotated_and_revoked_by_commands(people: dict[str, dict[str, str]], shared_door: Door) -> None:
    op = people["op"]
    made = json.loads(run("key", "create", "eve", "viewer", "--days", "7", "--json", env=op))
    eve = {"SPENDGATE_URL": shared_door.url, "SPENDGATE_API_KEY": made["key"]}
    assert "expected a key with the role operator" in run("key", "list", env=eve, code=4)
    rotated = json.loads(run("key", "rotate", made["about"]["id"], "--json", env=op))
    assert run("key", "revoke", rotated["about"]["id"], "--why", "left", env=op).startswith("revoked: ")
    assert made["about"]["id"] in run("key", "list", env=op)
    assert "role" in run("key", "create", "eve", "king", env=op, code=2)
    assert "fewer days" in run("key", "create", "eve", "viewer", "--days", str(10**9), env=op, code=2)


def test_a_login_is_kept_where_only_its_user_reads_it(shared_door: Door, tmp_path: Path) -> None:
    home = {"SPENDGATE_HOME": str(tmp_path / "home"), "SPENDGATE_URL": "", "SPENDGATE_API_KEY": ""}
    assert "spendgate login URL" in run("key", "list", env=home, code=2)
    key = shared_door.key("operator", "op", "logins")
    assert "op, operator of logins" in run("login", shared_door.url, stdin=key + "\n", env=home)
    kept = tmp_path / "home" / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    run("key", "list", env=home)
    assert "a key that is valid" in run("login", shared_door.url, stdin="sgk_wrong\n", env=home, code=4)
    assert "does not answer" in run("login", "http://127.0.0.1:1", stdin=key + "\n", env=home, code=3)
    assert "nonsense does not answer" in run("login", "nonsense", stdin=key + "\n", env=home, code=3)
    kept.write_text("{")
    assert "log in again" in run("key", "list", env=home, code=2)


# At the store itself


def initialised(tmp_path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """An environment with a prepared store, and what ``init`` told."""
    env = {"SPENDGATE_STORE": f"sqlite:///{tmp_path / 's.db'}", "SPENDGATE_STORE_KEY_FILE": str(tmp_path / "s.pem")}
    told = RUN.invoke(app, ["admin", "init", "--tenant", "acme", "--person", "ann", "--json"], env=env)
    assert told.exit_code == 0, told.output
    return env, json.loads(told.stdout)


def test_init_makes_the_first_key_and_does_it_once(tmp_path: Path) -> None:
    env, told = initialised(tmp_path)
    assert told["key"].startswith("sgk_")
    assert stat.S_IMODE((tmp_path / "s.pem").stat().st_mode) == 0o600
    assert run("admin", "public-key", env=env).strip() == told["store_key"] == read_key_file(tmp_path / "s.pem").public
    again = ("admin", "init", "--tenant", "acme", "--person", "ann")
    assert "expected one that is not there yet" in run(*again, env=env, code=4)
    other = json.loads(run("admin", "init", "--tenant", "two", "--person", "bob", "--json", env=env))
    assert other["store_key"] == told["store_key"]
    assert f"the schema is {_script(STORE).get_current_head()}" in run("admin", "migrate", env=env)
    assert run("admin", "key", "--tenant", "acme", "--person", "eve", "ingest", env=env).count("sgk_") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("admin", "key", "--tenant", "nobody", "--person", "eve", "viewer"), 4, "tenant nobody"),
        (("admin", "key", "--tenant", "acme", "--person", "eve", "king"), 2, "viewer, editor"),
        (("admin", "init", "--tenant", "two words", "--person", "ann"), 2, "printable ASCII"),
        (("audit", "verify", "--head", "acme"), 2, "TENANT=NUMBER:HASH"),
        (("audit", "verify", "--store", "mysql://x"), 3, "sqlite:///PATH"),
        (("admin", "public-key", "--key-file", "/nowhere"), 4, "private key in PEM"),
        (("admin", "reseal-targets", "--old-key-file", "/nowhere"), 4, "private key in PEM"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    env, _ = initialised(tmp_path)
    assert words in run(*arguments, env=env, code=code)


def test_where_the_store_is_must_be_said() -> None:
    assert "SPENDGATE_STORE" in run("admin", "migrate", env={"SPENDGATE_STORE": ""}, code=2)


def test_a_changed_row_of_the_trail_is_found_by_the_command(tmp_path: Path) -> None:
    env, _ = initialised(tmp_path)
    whole = run("audit", "verify", env=env)
    assert "acme: whole, 2 rows" in whole
    head = whole.split()[-1]
    assert json.loads(run("audit", "verify", "--head", head, "--json", env=env))["whole"] is True
    database = Database(env["SPENDGATE_STORE"])
    with database.begin() as connection:
        connection.execute(update(rows).where(rows.c.number == 1).values(who="nobody"))
        assert len(audit.entries(connection, "acme")) == 2
    database.close()
    assert "acme: row 1: changed" in run("audit", "verify", env=env, code=1)
    found = json.loads(run("audit", "verify", "--json", env=env, code=1).splitlines()[0])
    assert [each["row"] for each in found["findings"]] == [1]


def test_the_public_key_verifies_what_the_private_one_signs(tmp_path: Path) -> None:
    _, told = initialised(tmp_path)
    signer: Signer = read_key_file(tmp_path / "s.pem")
    assert signer.public == told["store_key"]
    assert Verifier([told["store_key"]])
