"""Rounds that operators ask for: each is made once, and what came of it is kept."""

from pathlib import Path

import pytest

from agents.reconciliation import Reconciler
from policy_store import asked_rounds, audit
from policy_store.asked_rounds import AskedRound
from policy_store.errors import Refused
from policy_store.reconciliations import Recorded
from policy_store.stagings import Staging
from spendgate.failure import Failure
from tests.store.conftest import Store
from tests.store.enforced import record, staged
from tests.store.scenes import TENANT, change

CAT, DAN = "cat", "dan"


class Agent(Reconciler):
    """An agent whose reconciliations pass; the server and the ledger are no matter of who asks for what."""

    store: Store
    made: list[AskedRound | None]

    def reconcile(self, staging: Staging, asked: AskedRound | None = None) -> Recorded:
        """See Reconciler."""
        self.made.append(asked)
        return record(self.store, staging, on_demand=asked is not None and asked.is_part)[0]


def agent_of(store: Store, kind: type[Reconciler] = Agent, holder: str = "one") -> Reconciler:
    def away(*_: object) -> object:
        raise Failure("Kafka does not answer")

    made = kind(store.changes, store.signer, "nowhere", away, away, holder)  # type: ignore[arg-type]
    vars(made).update(store=store, made=[], _round_s=made.clock())
    return made


def ask(store: Store, staging: Staging, who: str = CAT, *interval: int) -> AskedRound:
    with change(store, who) as made:
        return asked_rounds.ask(made, staging, *interval)


def rounds(store: Store, staging: Staging) -> list[AskedRound]:
    with store.database.read() as connection:
        return asked_rounds.listed(connection, TENANT, staging.id)


def test_what_is_asked_for_twice_is_one_round_and_another_part_is_another(store: Store) -> None:
    staging = staged(store)
    first = ask(store, staging)
    assert ask(store, staging, DAN) == first
    asked_rounds.begin(store.changes, first)
    assert ask(store, staging, DAN).id == first.id
    assert ask(store, staging, DAN, 1, 2).id != first.id
    asked_rounds.finish(store.changes, first, None, "no ledger")
    assert ask(store, staging).id != first.id
    with store.database.read() as connection:
        asked = [each for each in audit.entries(connection, TENANT) if each.action == "ask_reconciliation"]
    assert [each.who for each in asked] == [CAT, DAN, CAT]


def test_the_agent_makes_each_once_also_what_one_that_died_had_begun(store: Store) -> None:
    staging = staged(store)
    whole, part = ask(store, staging), ask(store, staging, DAN, 1, 2)
    asked_rounds.begin(store.changes, whole)
    agent = agent_of(store)
    agent.look()
    agent.look()
    assert isinstance(agent, Agent)
    assert {each.id for each in agent.made if each is not None} == {whole.id, part.id}
    assert len(agent.made) == 2
    done = {each.id: each for each in rounds(store, staging)}
    assert {each.state for each in done.values()} == {"done"}
    assert done[whole.id].reconciliation is not None


def test_of_two_agents_one_makes_it_and_the_other_once_that_one_is_gone(store: Store) -> None:
    staging = staged(store)
    one, two = agent_of(store), agent_of(store, holder="two")
    assert isinstance(one, Agent)
    assert isinstance(two, Agent)
    one.look()
    ask(store, staging)
    two.look()
    one.look()
    assert (len(one.made), len(two.made)) == (1, 0)
    store.clock.ms += int(2_000 * one.pace.round_s) + 1
    ask(store, staging, DAN)
    two.look()
    assert (len(one.made), len(two.made)) == (1, 1)


def test_a_round_that_cannot_be_made_says_why_and_is_not_tried_again(store: Store, tmp_path: Path) -> None:
    staging = staged(store)
    ask(store, staging)
    agent = agent_of(store, Reconciler)
    agent.look()
    (found,) = rounds(store, staging)
    assert (found.state, found.reconciliation) == ("failed", None)
    assert "no ledger here" in (found.problem or "")


def test_a_staging_that_has_ended_and_an_interval_that_is_none_are_refused(store: Store) -> None:
    staging = staged(store)
    for wanted, interval in ((staging._replace(state="retired"), ()), (staging, (2, 2))):
        with pytest.raises(Refused):
            ask(store, wanted, CAT, *interval)
    assert rounds(store, staging) == []
