"""A vertical from beginning to end: its history imported, its policies staged, its day sent through the door, judged,
checked and told."""

import json
import shlex
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import httpx
from rich.console import Console

from dev.demo.afterwards import Study, study, wait_recorded
from dev.demo.check import owed
from dev.demo.show import Show
from dev.demo.stream import Feed, ends
from dev.errors import StackError
from dev.ground import running_stack
from dev.house import House, opened
from dev.places import home
from dev.verticals.days import history, live_day
from dev.verticals.facts import Facts, priced, stories, would_be
from dev.verticals.sending import DoorSender
from dev.verticals.shelf import Chosen, chosen
from dev.verticals.situations import situations
from dev.verticals.staging import stage
from dev.verticals.tell import tell
from dev.verticals.tree import budget_tree
from policy_store.api_keys import Role
from spendgate.cli.kafka_client import topic_id_of
from spendgate.ledger.delta_import import import_events
from spendgate.model.canonical import policy_hash
from spendgate.model.event import Event, encode_events
from spendgate.model.money import NANO_PER_USD
from spendgate.prices.book import PriceBook
from spendgate.prices.events import price_events
from spendgate.prices.tally import PriceTally

PEOPLE: dict[Role, str] = {
    "ingest": "agents", "editor": "finance", "approver": "owner", "operator": "platform", "viewer": "reader",
}  # fmt: skip
TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class VerticalWish:
    """What the user asked for."""

    vertical: str
    seed: int
    rate: int
    leave: bool
    as_json: bool


def run_vertical(wish: VerticalWish) -> bool:
    """Run it; whether live, replay and simulation agree. Raises StackError."""
    found, console = chosen(wish.vertical), Console(stderr=wish.as_json)
    tenant = f"syn-{found.name}-{datetime.now(UTC):%m%d-%H%M%S}"
    with (
        running_stack(console.log if wish.as_json else console.print) as stack,
        opened(stack, "vertical", tenant, PEOPLE) as house,
    ):
        try:
            facts = _played(wish, found, house, console)
        except httpx.TransportError:
            raise StackError(f"the door does not answer (its log: {house.folder / 'door.log'})") from None
        if wish.as_json:
            sys.stdout.write(json.dumps(facts.as_dict()) + "\n")
        else:
            tell(console, facts)
            if not wish.leave and sys.stdin.isatty():
                _linger(console, house, facts)
    return facts.clean


def _played(wish: VerticalWish, found: Chosen, house: House, console: Console) -> Facts:
    begun, now = time.monotonic(), datetime.now(UTC)
    log = house.topics.events
    starts = ends(house.stack.bootstrap, log.name, range(log.partitions))
    before = _imported(found, house.tenant, wish.seed, now)
    console.print(
        f"{found.vertical.title}, synthetic: {before:,} records of ten weeks imported into the ledger", highlight=False
    )
    staged = stage(house, found.files)
    fewest = min(each.full_windows for each in staged)
    console.print(
        f"{len(staged)} policies are in shadow, each simulated over them (full windows: {fewest} or more) and approved "
        "by a second person",
        highlight=False,
    )
    steps = live_day(found.vertical, house.tenant, wish.seed, now)
    events = [step.event for step in steps]
    with (
        house.client("ingest") as client,
        closing(_feed(house)) as feed,
    ):
        sender = DoorSender(client, {step.event.id for step in steps if step.asks}, wish.rate)
        show = Show(console, feed, sender, len(events))
        show.stream(events, live=not wish.as_json)
        policies = {policy_hash(policy): policy for policy in found.policies}
        agreement = show.settle(
            lambda: owed(house.stack.bootstrap, house.topics, [house.tenant], starts, policies), house.running
        )
    studied = _study(house, found, events, show)
    known = priced(events, show.tally)
    with house.client("viewer") as reader:
        told = stories(reader, known, show.tally)
    calls = [event for event in known if event.kind == "call"]
    return Facts(
        found, house.tenant, wish.seed, now, house.url, before, len(events), len({call.project for call in calls}),
        staged,
        show.tally, sender.would_be, situations(known, show.tally.decisions.values()), would_be(known, show.tally),
        budget_tree(home() / "ledger", house.tenant, found.policies, calls), told, agreement, studied,
        time.monotonic() - begun,
    )  # fmt: skip


def _feed(house: House) -> Feed:
    decisions = house.topics.decisions
    return Feed(house.stack.bootstrap, decisions.name, decisions.partitions, [house.tenant])


def _imported(found: Chosen, tenant: str, seed: int, now: datetime) -> int:
    """Record the weeks before today, as a file of history would be; how many records."""
    past = price_events(history(found.vertical, tenant, seed, now), PriceBook(), "missing", PriceTally())
    events = list(past)
    import_events(home() / "ledger", events, sha256(encode_events(events)).hexdigest())
    return len(events)


def _study(house: House, found: Chosen, events: Sequence[Event], show: Show) -> Study:
    """What the simulator says of the ledger, once the day stands there too."""
    root, log = home() / "ledger", house.topics.events
    topic_id = topic_id_of(house.stack.bootstrap, log.name, TIMEOUT_S, lambda _: None)
    at_end = ends(house.stack.bootstrap, log.name, range(log.partitions))
    wait_recorded(root, topic_id, at_end, lambda: all(each.poll() is None for each in house.running))
    first = next(event.time for event in events if event.kind == "call")
    return study(
        root, house.folder, [house.tenant], found.files, found.policies, show.tally.decisions.values(), since=first,
        asked=_asked(found),
    )  # fmt: skip


def _asked(found: Chosen) -> list[str]:
    """A budget at caps from half to twice its own, and the cap that its history suggests."""
    of, budget = found.vertical.suggest, found.suggest
    assert budget is not None
    cap = budget.cap_nano_usd / NANO_PER_USD
    sweep = f"{of}.cap={cap / 2:g}:{cap * 2:g}:{cap / 4:g}"
    return ["--sweep", sweep, "--suggest", of, "--percent", "2", "--of", "dollars"]


def _linger(console: Console, house: House, facts: Facts) -> None:
    """Leave everything running for a look around, until Ctrl-C."""
    here = f"{Path.cwd()}/"
    command = shlex.join(["spendgate", *(part.removeprefix(here) for part in facts.study.command)])
    page = "/" if httpx.get(f"{house.url}/", timeout=5).status_code < 400 else "/docs"
    lines = (
        f"\nEverything stays up until Ctrl-C: {house.url}{page}",
        f"  to read, sign in with     {house.keys['viewer']}",
        f"  to design policies, with  {house.keys['editor']}",
        f"export SPENDGATE_URL={house.url} SPENDGATE_API_KEY={house.keys['editor']}",
        "spendgate policy history " + facts.staged[0].policy,
        f"spendgate decisions --verdict deny --tenant {house.tenant}",
        command,
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
