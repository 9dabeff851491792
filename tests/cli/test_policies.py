"""``spendgate policy``: what is staged, in which order, and where it is refused."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dev.stack import Stack
from spendgate.cli.staging_board import Publisher
from spendgate.model.activation import Activation
from spendgate.model.announcement import Announcement, Board, Document, read_record
from spendgate.model.canonical import from_canonical, policy_hash
from spendgate.model.decode import decode_message
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy
from tests.cli.broker import Broker
from tests.cli.command import app

TEXT = """
apiVersion: spendgate/v1
kind: Policy
metadata: {{name: {name}}}
spec:
  rules:
    - budget: {{cap_usd: "{cap}", window: {{calendar: month}}, on_breach: deny}}
"""


def policy(name: str = "monthly", cap: int = 500) -> Policy:
    return read_policy(TEXT.format(name=name, cap=cap), name)


class FakeWire:
    """Remembers what was published, in order."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes]] = []

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        self.records.append((topic, key, value))

    def said(self) -> list[str]:
        """The records as words."""
        return [self._word(*record) for record in self.records]

    @staticmethod
    def _word(topic: str, key: bytes, value: bytes) -> str:
        if topic == "events":
            activation = decode_message(key, value, partition_of(key, 8), 8).activation
            assert activation is not None
            return f"{activation.action} {activation.staging} ends {activation.ends}"
        entry = read_record(key, value)
        return f"{entry.state} {entry.staging}" if isinstance(entry, Announcement) else type(entry).__name__


def publisher(wire: FakeWire) -> Publisher:
    numbers = count()
    return Publisher(
        wire,
        "policies",
        "events",
        Board(),
        now=lambda: datetime(2026, 11, 5, 9, tzinfo=UTC),
        fresh=lambda: str(next(numbers)),
    )


def test_document_and_announcement_come_before_the_activation() -> None:
    wire = FakeWire()
    publisher(wire).publish([policy()], "acme", again=False, only=False)
    assert wire.said() == ["Document", "staged stg-0", "stage stg-0 ends []"]


def test_a_new_version_ends_the_one_before_and_says_so_after() -> None:
    wire = FakeWire()
    publishing = publisher(wire)
    publishing.publish([policy()], "acme", again=False, only=False)
    [change] = publishing.publish([policy(cap=600)], "acme", again=False, only=False)
    assert wire.said()[3:] == ["Document", "staged stg-2", "stage stg-2 ends ['stg-0']", "ended stg-0"]
    assert (change.did, change.ends) == ("staged", ["stg-0"])


def test_the_same_version_again_is_left_as_it_is() -> None:
    wire = FakeWire()
    publishing = publisher(wire)
    publishing.publish([policy()], "acme", again=False, only=False)
    before = list(wire.records)
    [change] = publishing.publish([policy()], "acme", again=False, only=False)
    assert (change.did, change.staging) == ("unchanged", "stg-0")
    assert wire.records == before


def test_again_is_a_new_staging_of_the_same_document() -> None:
    wire = FakeWire()
    publishing = publisher(wire)
    publishing.publish([policy()], "acme", again=False, only=False)
    publishing.publish([policy()], "acme", again=True, only=False)
    assert wire.said()[3:] == ["staged stg-2", "stage stg-2 ends ['stg-0']", "ended stg-0"]


def test_other_policies_and_tenants_are_left_alone() -> None:
    publishing = publisher(FakeWire())
    publishing.publish([policy("p"), policy("q")], "acme", again=False, only=False)
    publishing.publish([policy("p")], "beta", again=False, only=False)
    publishing.publish([policy("p", 600)], "acme", again=False, only=False)
    assert [entry.policy for entry in publishing.board.live("acme")] == ["q", "p"]
    assert [entry.policy for entry in publishing.board.live("beta")] == ["p"]


def test_replace_ends_the_tenants_other_policies() -> None:
    wire = FakeWire()
    publishing = publisher(wire)
    publishing.publish([policy("p"), policy("q")], "acme", again=False, only=False)
    changes = publishing.publish([policy("p")], "acme", again=False, only=True)
    assert [(change.did, change.policy) for change in changes] == [("unchanged", "p"), ("ended", "q")]
    assert wire.said()[-2:] == ["end stg-2 ends []", "ended stg-2"]


def test_what_has_ended_ends_once() -> None:
    wire = FakeWire()
    publishing = publisher(wire)
    publishing.publish([policy()], "acme", again=False, only=False)
    assert [change.staging for change in publishing.end("monthly", "acme")] == ["stg-0"]
    assert publishing.end("monthly", "acme") == []


@pytest.fixture
def broker(stack: Stack) -> Broker:
    return Broker(stack.bootstrap)


def run(broker: Broker, *args: str | Path) -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, args)], env=broker.env)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "monthly.yaml"
    path.write_text(TEXT.format(name="monthly", cap=500))
    return path


def activations(broker: Broker) -> Sequence[Activation]:
    topic = broker.topics.events
    decoded = [decode_message(row.key, row.value, row.partition, topic.partitions) for row in broker.rows(topic.name)]
    return [one.activation for one in decoded if one.activation is not None]


def test_published_documents_are_on_the_topic_and_in_the_log(broker: Broker, file: Path) -> None:
    ran = run(broker, "publish", file, "--dev", "--tenant", "acme", "--tenant", "beta", "--json")
    assert ran.exit_code == 0, ran.stderr
    staged = {change["tenant"]: change["staging"] for change in json.loads(ran.stdout)}
    assert {one.tenant: one.staging for one in activations(broker)} == staged
    entries = [read_record(row.key or b"", row.value) for row in broker.rows(broker.topics.policies.name)]
    [document] = [entry for entry in entries if isinstance(entry, Document)]
    assert policy_hash(from_canonical(document.content)) == document.hash == policy_hash(policy())


def test_a_next_command_knows_what_is_staged(broker: Broker, file: Path) -> None:
    run(broker, "publish", file, "--dev")
    again = run(broker, "publish", file, "--dev")
    assert again.stdout.startswith("unchanged: monthly")
    [listed] = json.loads(run(broker, "list", "--json").stdout)
    assert (listed["policy"], listed["state"]) == ("monthly", "staged")
    assert run(broker, "end", "monthly", "--dev").exit_code == 0
    assert json.loads(run(broker, "list", "--json").stdout) == []
    assert run(broker, "end", "monthly", "--dev").exit_code == 1
    assert [one.action for one in activations(broker)] == ["stage", "end"]


@pytest.mark.parametrize("args", [["end", "monthly"], ["publish"]])
def test_outside_development_it_is_refused(broker: Broker, file: Path, args: list[str]) -> None:
    ran = run(broker, *args, *([file] if args == ["publish"] else []))
    assert ran.exit_code == 4
    assert "signature" in ran.stderr
    assert activations(broker) == []


def test_the_environment_can_say_that_this_is_development(broker: Broker, file: Path) -> None:
    broker.env["SPENDGATE_DEV"] = "1"
    assert run(broker, "publish", file).exit_code == 0


def test_an_invalid_document_stages_nothing(broker: Broker, file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(TEXT.format(name="monthly", cap="much"))
    ran = run(broker, "publish", file, bad, "--dev")
    assert ran.exit_code == 1
    assert "bad.yaml:7:" in ran.stderr
    assert activations(broker) == []


def test_a_policy_given_twice_is_refused(broker: Broker, file: Path) -> None:
    ran = run(broker, "publish", file, file, "--dev")
    assert (ran.exit_code, ran.stderr) == (2, "spendgate: metadata.name: expected each policy once\n")
