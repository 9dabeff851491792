"""Data of an earlier version, written by its own code, is opened by the present one: the store is brought up, the
ledger is read, and counters in Redis of an older layout are left aside and built anew from the log.

The earlier version is the oldest commit that has both a store and a ledger; there is no tag yet. Its code runs on the
present dependencies, for they only grew since.

Topics and groups are the test's own: the stack is shared by all that runs beside it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from redis import Redis

from dev.places import CHECKOUT
from dev.stack import Stack
from dev.trial.broker import Broker
from policy_store import api_keys, audit, policies, stagings
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate, require_current
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.ledger_errors import LedgerError
from spendgate.model.partition import partition_of
from spendgate.model.topics import PREFIX_ENV, Topics, load_topics
from tests.live.waiting import until
from tests.stack import new_directory, run_directory, stack
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

__all__ = ["new_directory", "run_directory", "stack"]

PREVIOUS = "851e33c88833"
COMMAND = "from spendgate.cli.main import main; main()"
BEFORE, AFTER = 900, 300
TENANT, STOP_S, WITHIN_S = "acme", 30, 300
AGENTS = ("worker", "ledger-events", "ledger-decisions")


@dataclass(frozen=True)
class Previous:
    """What the earlier version has left: its folder, the prefix of its topics, what it said of its store, and Redis as
    it was then."""

    folder: Path
    stack: Stack
    prefix: str
    said: Mapping[str, str]
    counters: Mapping[str, bytes]

    @property
    def ledger(self) -> str:
        return str(self.folder / "ledger")

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'store.db'}"

    @property
    def topics(self) -> Topics:
        return load_topics(prefix=self.prefix, replication=1)


@pytest.fixture(scope="module")
def prefix() -> Iterator[str]:
    """Before the names of all topics, in the environment of everything that is run here."""
    with pytest.MonkeyPatch.context() as patched:
        named = f"upgrade-{token_hex(4)}."
        patched.setenv(PREFIX_ENV, named)
        yield named


@pytest.fixture(scope="module")
def checkout(new_directory: Any) -> Path:
    """The earlier version's files."""
    folder: Path = new_directory()
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=CHECKOUT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("this clone has no history as old as the earlier version")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


@pytest.fixture(scope="module")
def previous(checkout: Path, new_directory: Any, stack: Stack, prefix: str) -> Previous:
    """Its store, and its agents' work on the first events."""
    folder: Path = new_directory()
    _run(checkout, ["topics", "apply", "--bootstrap", stack.bootstrap, "--replication", "1"])
    made = [str(CHECKOUT / "peers" / "previous_data.py"), f"sqlite:///{folder / 'store.db'}", str(folder / "store.pem")]
    said = json.loads(_python(checkout, [*made, stack.bootstrap]).splitlines()[-1])
    with _agents(checkout, folder, stack, said["store_key"], "before"):
        _send(checkout, folder, stack, range(BEFORE))
        until(lambda: _decided(folder) == BEFORE, "the earlier version's ledger", WITHIN_S, lambda: _said(folder))
    with Redis.from_url(stack.redis_url) as redis:
        keys = [key.decode() for key in redis.scan_iter(f"sg:{{{prefix}*")]  # other tests share this Redis
        return Previous(folder, stack, prefix, said, {key: redis.dump(key) for key in keys})


def test_the_store_is_brought_up_and_holds_what_it_held(previous: Previous) -> None:
    database = Database(previous.store)
    before, after = migrate(database)
    require_current(database)
    assert (before, after != before) == ("0001", True)
    parts = api_keys.parse(previous.said["key"])
    assert parts is not None
    with database.begin() as connection:
        assert api_keys.proves(parts.secret, api_keys.get(connection, parts.id))
        assert stagings.require(connection, TENANT, previous.said["staging"]).state == "shadow"
        assert [each.name for each in policies.listed(connection, TENANT)] == ["team-caps"]
        assert audit.verify(connection, {}) == []
    with Changes(database).of(TENANT, "ann") as change:
        assert api_keys.create(change, "ann", "editor").text
    database.close()


def test_the_agents_go_on_where_the_earlier_ones_stopped(previous: Previous, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDGATE_STORE_KEYS", previous.said["store_key"])
    where = ["--bootstrap", previous.stack.bootstrap]
    assert previous.counters
    _run(CHECKOUT, ["topics", "apply", *where, "--replication", "1"])
    with _agents(CHECKOUT, previous.folder, previous.stack, previous.said["store_key"], "after"):
        _send(CHECKOUT, previous.folder, previous.stack, range(BEFORE, BEFORE + AFTER))
        until(
            lambda: _decided(previous.folder) == BEFORE + AFTER,
            "the present version's ledger",
            WITHIN_S,
            lambda: _said(previous.folder),
        )
        _verify(previous)
    with Redis.from_url(previous.stack.redis_url) as redis:
        assert {key: redis.dump(key) for key in previous.counters} == previous.counters
        assert next(redis.scan_iter(f"sg:2:{{{previous.prefix}*"), None) is not None
    _run(CHECKOUT, ["ledger", "verify", "--ledger", previous.ledger])
    found = json.loads(_run(CHECKOUT, [
        "reconcile", "--ledger", previous.ledger, "--kafka", *where, "--tenant", TENANT, "--json",
    ], codes=(0, 1)))  # fmt: skip
    told = [(each["kind"], each["cause"], each["calls"]) for each in found["differences"]]
    assert (found["calls"]["replayed"], found["calls"]["matched"]) == (BEFORE + AFTER, AFTER)
    assert told == [("mismatched", "evaluator_changed", BEFORE)], "other laws are told as that"


def _verify(previous: Previous) -> None:
    """Redis must be as the log says; where it is not, both are told."""
    where = ["--redis", previous.stack.redis_url, "--bootstrap", previous.stack.bootstrap]
    told = _run(CHECKOUT, ["counters", "verify", *where, "--json"], codes=(0, 1))
    if json.loads(told)["equal"]:
        return
    topics = previous.topics
    place = PartitionId(topics.events.name, partition_of(TENANT.encode(), topics.events.partitions))
    broker = Broker(previous.stack.bootstrap, topics)
    log = [row for row in broker.read(topics.events) if b'"activation"' in (row.value or b"")]
    broker.close()
    with Redis.from_url(previous.stack.redis_url) as redis:
        held = redis.get(keys_of(place).tenant(TENANT))
    pytest.fail(f"{told}\nRedis has: {held!r}\nthe log has: {log}\n{_said(previous.folder)}")


def _send(code: Path, folder: Path, stack: Stack, numbers: range) -> None:
    """Events of the last two days, some over the caps."""
    start = datetime.now(UTC) - timedelta(hours=40)
    lines = [
        json.dumps({
            "id": f"e-{number}", "source": "sample", "time": (start + timedelta(minutes=2 * number)).isoformat(),
            "team": f"t{number % 3}", "employee": f"p{number % 20}", "vendor": "openai", "model": "gpt-4o",
            "input_tokens": 1000, "output_tokens": 100, "cost_nano_usd": 100_000_000 + number * 1_000,
        })
        for number in numbers
    ]  # fmt: skip
    file = folder / f"events-{numbers.start}.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _run(code, ["send", str(file), "--tenant", TENANT, "--bootstrap", stack.bootstrap])


def _decided(folder: Path) -> int:
    """Decisions in the ledger."""
    try:
        return Ledger.open(str(folder / "ledger")).rows("decisions", TENANT)
    except LedgerError:
        return 0


def _said(folder: Path) -> str:
    """How far it is, and each agent's last line."""
    logs = {each.name: each.read_text().splitlines()[-1:] for each in sorted(folder.glob("*.log"))}
    return f"({_decided(folder)} decisions; {logs})"


@contextmanager
def _agents(code: Path, folder: Path, stack: Stack, key: str, when: str) -> Iterator[None]:
    environment = {
        **os.environ, "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_REDIS": stack.redis_url,
        "SPENDGATE_STORE_KEYS": key, "SPENDGATE_LEDGER": str(folder / "ledger"), "SPENDGATE_LEDGER_COMMIT_S": "1",
        "SPENDGATE_JIT": "off",
    }  # fmt: skip
    with ExitStack() as exits:
        for role in AGENTS:
            output = exits.enter_context((folder / f"{when}-{role}.log").open("wb"))
            started = subprocess.Popen(
                [sys.executable, "-m", "agents.app", role], cwd=code, stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, env={**environment, "SPENDGATE_GROUP": f"{os.environ[PREFIX_ENV]}{role}"},
            )  # fmt: skip
            exits.callback(started.wait, STOP_S)
            exits.callback(started.terminate)
        yield


def _run(code: Path, arguments: list[str], codes: tuple[int, ...] = (0,)) -> str:
    """Run a version's `spendgate` command."""
    return _python(code, ["-c", COMMAND, *arguments], codes)


def _python(code: Path, arguments: list[str], codes: tuple[int, ...] = (0,)) -> str:
    """Run Python with a version's code first on its path; what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=code, env={**os.environ, "PYTHONPATH": str(code)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode in codes, done.stdout + done.stderr
    return done.stdout
