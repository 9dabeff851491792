"""The flag against a model of a few lines, over random histories: what is on was asked for by one operator and
confirmed by another within the hour, beneath levels that were on, with the gate open at that moment; off always works.
"""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from policy_store import audit, enforcement, flags, gates, policies, reconciliations, simulations, stagings, tenants
from policy_store.audit import SYSTEM
from policy_store.errors import Refused
from policy_store.flags import Level
from spendgate.model.enforcement import Share
from spendgate.model.reconciliation import Interval
from tests.reconcile.results import reconciliation
from tests.store.conftest import Store
from tests.store.scenes import FULL, policy, source

HOUR_MS = 3_600_000
PEOPLE = st.sampled_from(["ann", "bob", "cat"])
SHARES = st.sampled_from([None, Share(by="team", percent=10), Share(by="team", owners=("growth",))])
LEVELS: st.SearchStrategy[Level] = st.sampled_from(["global", "tenant", "policy", "policy"])
PAUSES = st.sampled_from([0, 1, 59, 61, 24 * 60, 26 * 60])
RESULTS: dict[str, dict[str, Any]] = {"pass": {}, "fail": {"differing": 1}, "inconclusive": {"looked": 3}}
_number = itertools.count(1)


@dataclass
class Asked:
    """A request, as the model has it."""

    id: str
    level: Level
    place: int
    who: str
    at_ms: int
    share: Share | None
    is_open: bool = True


@dataclass
class Proof:
    """What the model knows of a staging. ``proven_ms``: of the last round, if it passed and still counts."""

    state: str = "shadow"
    proven_ms: int | None = None
    share: Share | None = None


@dataclass
class Model:
    """All of the rule."""

    on: dict[Level, bool] = field(default_factory=lambda: {"global": False, "tenant": False})
    stagings: list[Proof] = field(default_factory=lambda: [Proof(), Proof()])
    asked: list[Asked] = field(default_factory=list)

    def may_be_on(self, level: Level, place: int, share: Share | None, now_ms: int) -> bool:
        if level != "policy":
            return not self.on[level]
        found = self.stagings[place]
        is_proven = found.proven_ms is not None and (now_ms - found.proven_ms) // HOUR_MS <= 24
        again = found.state == "enforced" and found.share == share
        return all(self.on.values()) and found.state in ("reconciled", "enforced") and is_proven and not again

    def waits(self, level: Level, place: int, now_ms: int) -> bool:
        return any(
            each.is_open and (each.level, each.place) == (level, place) and now_ms - each.at_ms <= HOUR_MS
            for each in self.asked
        )

    def turn_off(self, level: Level, place: int) -> None:
        if level != "policy":
            self.on[level] = False
        for number, each in enumerate(self.stagings):
            if each.state == "enforced" and (level != "policy" or number == place):
                self.stagings[number] = Proof()
                self.close("policy", number)
        self.close(level, place)

    def close(self, level: Level, place: int) -> None:
        for each in self.asked:
            if (each.level, each.place) == (level, place):
                each.is_open = False

    def enforced(self) -> dict[int, Share | None]:
        return {n: each.share for n, each in enumerate(self.stagings) if each.state == "enforced"}


class Machine(RuleBasedStateMachine):
    """One tenant with a staging of each of two policies, in a store that other tenants share."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store, self.model, self.tenant = store, Model(), f"t{next(_number)}"
        self.ids: list[str] = []

    @initialize()
    def stage(self) -> None:
        with self.change("root") as made:
            tenants.create(made, one_person=True)
        for name in ("one", "two"):
            with self.change("author") as made:
                hash_ = policies.create(made, policy(name=name), source(name=name)).latest.hash
                simulations.record(made, name, hash_, FULL)
                asked = stagings.submit(made, name, hash_)
                self.ids.append(stagings.approve(made, asked.id, asked.revision, self.store.signer).id)
        self.levels_on()

    def teardown(self) -> None:
        if self.ids:
            self.off("global", 0, "root")

    def change(self, who: str, level: Level = "tenant") -> Any:
        return self.store.changes.of(SYSTEM if level == "global" else self.tenant, who)

    def subject(self, level: Level, place: int) -> str | None:
        return self.ids[place] if level == "policy" else None

    @rule(level=LEVELS, place=st.integers(0, 1), who=PEOPLE, share=SHARES)
    def ask(self, level: Level, place: int, who: str, share: Share | None) -> None:
        place, share = (place, share) if level == "policy" else (0, None)
        now_ms = self.store.clock.ms
        may = self.model.may_be_on(level, place, share, now_ms) and not self.model.waits(level, place, now_ms)
        try:
            with self.change(who, level) as made:
                found = enforcement.request_on(made, level, self.subject(level, place), share, "it is time")
        except Refused:
            assert not may
            return
        assert may
        self.model.asked.append(Asked(found.id, level, place, who, now_ms, share))

    @rule(level=LEVELS, place=st.integers(0, 1), who=PEOPLE, other=PEOPLE, share=SHARES)
    def ask_and_confirm(self, level: Level, place: int, who: str, other: str, share: Share | None) -> None:
        known = len(self.model.asked)
        self.ask(level, place, who, share)
        if len(self.model.asked) > known:
            self.confirm_it(self.model.asked[-1], other)

    @precondition(lambda self: not all(self.model.on.values()))
    @rule()
    def levels_on(self) -> None:
        for level in self.model.on:
            self.ask_and_confirm(level, 0, "ann", "bob", None)

    @rule(place=st.integers(0, 1), who=PEOPLE, other=PEOPLE, share=SHARES, between=st.tuples(PAUSES, PAUSES))
    def prove_and_ask_and_confirm(
        self, place: int, who: str, other: str, share: Share | None, between: tuple[int, int]
    ) -> None:
        self.round(place, "pass")
        self.wait(between[0])
        known = len(self.model.asked)
        self.ask("policy", place, who, share)
        self.wait(between[1])
        if len(self.model.asked) > known:
            self.confirm_it(self.model.asked[-1], other)

    @precondition(lambda self: self.model.asked)
    @rule(data=st.data(), who=PEOPLE)
    def confirm(self, data: st.DataObject, who: str) -> None:
        self.confirm_it(data.draw(st.sampled_from(self.model.asked[-3:]), "request"), who)

    def confirm_it(self, asked: Asked, who: str) -> None:
        now_ms = self.store.clock.ms
        in_time = asked.is_open and now_ms - asked.at_ms <= HOUR_MS
        may = in_time and asked.who != who and self.model.may_be_on(asked.level, asked.place, asked.share, now_ms)
        try:
            with self.change(who, asked.level) as made:
                enforcement.confirm_on(made, asked.id, self.store.signer)
        except Refused:
            assert not may
            return
        assert may
        asked.is_open = False
        if asked.level == "policy":
            proof = self.model.stagings[asked.place]
            proof.state, proof.share = "enforced", asked.share
        else:
            self.model.on[asked.level] = True

    @rule(level=LEVELS, place=st.integers(0, 1), who=PEOPLE)
    def off(self, level: Level, place: int, who: str) -> None:
        place = place if level == "policy" else 0
        with self.change(who, level) as made:
            enforcement.off(made, level, self.subject(level, place), "stop", self.store.signer)
        if level == "global":
            enforcement.finish_off(self.store.changes, who, "stop", self.store.signer)
        self.model.turn_off(level, place)

    @rule(place=st.integers(0, 1))
    def demote(self, place: int) -> None:
        is_enforced = self.model.stagings[place].state == "enforced"
        try:
            with self.change("spendgate") as made:
                enforcement.demote(made, self.ids[place], "the counters are not equal", self.store.signer)
        except Refused:
            assert not is_enforced
            return
        assert is_enforced
        self.model.turn_off("policy", place)

    @rule(place=st.integers(0, 1), kind=st.sampled_from(["pass", "pass", "pass", "fail", "inconclusive"]))
    def round(self, place: int, kind: str) -> None:
        now = datetime.fromtimestamp(self.store.clock.ms / 1000, UTC)
        with self.change("spendgate") as made:
            found = stagings.require(made.connection, self.tenant, self.ids[place])
            looked = gates.look(made.connection, found, made.now_ms)
            result = reconciliation(
                looked.subject, looked.rules.thresholds, Interval(from_=now - timedelta(days=40), to=now),
                **RESULTS[kind],
            )  # fmt: skip
            reconciliations.record(made, result, self.store.signer)
        proof = self.model.stagings[place]
        if kind == "pass":
            proof.proven_ms = self.store.clock.ms
            proof.state = "reconciled" if proof.state == "shadow" else proof.state
        elif kind == "fail" and proof.state == "enforced":
            self.model.turn_off("policy", place)
        else:
            proof.proven_ms = None
            proof.state = "shadow" if proof.state == "reconciled" else proof.state

    @rule(minutes=PAUSES)
    def wait(self, minutes: int) -> None:
        self.store.clock.ms += minutes * 60_000

    @invariant()
    def what_is_enforced_is_what_the_model_says(self) -> None:
        if not self.ids:
            return
        with self.store.database.read() as connection:
            view = flags.read_flags(connection)
            states = [stagings.require(connection, self.tenant, each).state for each in self.ids]
        found = {self.ids.index(each.staging): each.share for each in view.enforced(self.tenant)}
        assert found == self.model.enforced()
        assert states == [each.state for each in self.model.stagings]
        assert all(each.asked_by not in (None, each.confirmed_by) for each in view.enforced(self.tenant))
        assert all(each.certificate is not None for each in view.enforced(self.tenant))

    @invariant()
    def every_flip_stands_in_the_trail_with_who_and_why(self) -> None:
        if not self.ids:
            return
        with self.store.database.read() as connection:
            for entry in audit.entries(connection, self.tenant):
                if entry.action in ("enforce", "flag_on"):
                    assert entry.why == "it is time"
                    assert f'"asked_by": "{entry.who}"' not in (entry.after or "")


def test_the_flag_is_what_two_people_an_open_gate_and_an_hour_make_of_it(store: Store) -> None:
    examples = 30 if store.database.is_sqlite else 5
    few = settings(settings.default, max_examples=examples, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(lambda: Machine(store), settings=few)  # type: ignore[arg-type]  # (whatever makes one)
