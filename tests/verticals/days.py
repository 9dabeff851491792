"""A vertical's live day, priced by the book and judged in memory, as the live path would judge it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from dev.verticals.days import live_day
from dev.verticals.shelf import Chosen, chosen
from spendgate.engine.calls import Calls, time_ms
from spendgate.engine.decisions import Source
from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision, Reason
from spendgate.model.event import Event
from spendgate.prices.book import PriceBook
from spendgate.prices.events import price_events
from spendgate.prices.tally import PriceTally
from spendgate.simulate.replay import LogReplay

END = datetime(2026, 11, 20, 17, tzinfo=UTC)
TENANT = "syn-test"


@dataclass(frozen=True)
class Judged:
    """A day's records, and the decision about each call, by its id, with every rule's reason."""

    events: list[Event]
    decisions: dict[str, Decision]

    @property
    def calls(self) -> list[Event]:
        """The calls alone."""
        return [event for event in self.events if event.kind == "call"]

    def reason(self, call: Event, policy: str, rule: int = 0) -> Reason | None:
        """What a rule said of a call; None where its policy does not look at it."""
        found = self.decisions[call.id].reasons
        return next((each for each in found if (each.policy, each.rule) == (policy, rule)), None)


@cache
def book() -> PriceBook:
    """The list prices."""
    return PriceBook()


def priced(events: list[Event]) -> list[Event]:
    """With what each call costs."""
    return list(price_events(events, book(), "missing", PriceTally()))


def judged_day(name: str, seed: int, end: datetime = END) -> Judged:
    """The day of a seed that ends at ``end``, under the vertical's own policies, all of them staged before it."""
    found = chosen(name)
    events = priced([step.event for step in live_day(found.vertical, TENANT, seed, end)])
    replay = _staged(found, end)
    calls = Calls()
    for offset, event in enumerate(events):
        calls.add_message(offset, time_ms(end), [0], [event])
    return Judged(events, {each.event_id: each for each in replay.pass_calls(TENANT, calls)})


def _staged(found: Chosen, end: datetime) -> LogReplay:
    policies = {policy_hash(policy): policy for policy in found.policies}
    replay = LogReplay(Source("spend.events", "topic", 0), policies, end)
    changes = [Activation(kind="activation", id="settings", tenant=TENANT, time=end, action="settings",
                          settings=SettingsChange(reasons="all"))]  # fmt: skip
    changes += [
        Activation(kind="activation", id=f"stage-{at}", tenant=TENANT, time=end, action="stage", staging=f"stg-{at}",
                   policy=policy.metadata.name, hash=digest)
        for at, (digest, policy) in enumerate(policies.items())
    ]  # fmt: skip
    for offset, change in enumerate(changes, -len(changes)):
        replay.pass_activation(change, offset, time_ms(end))
    return replay
