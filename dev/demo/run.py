"""The demo from beginning to end."""

import json
import shlex
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console

from dev.agents import workers
from dev.demo.afterwards import Study, study, wait_recorded
from dev.demo.check import Verdict, owed
from dev.demo.show import Show
from dev.demo.stream import Feed, Sender, ends
from dev.demo.tally import Tally
from dev.errors import StackError
from dev.ground import made_topics, running_stack
from dev.places import CHECKOUT, home
from spendgate.cli.kafka_client import Producer, topic_id_of
from spendgate.cli.staging_board import Publisher
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.readers import read_events
from spendgate.ledger.sample import busy_hour
from spendgate.model.announcement import Board
from spendgate.model.canonical import policy_hash
from spendgate.model.event import Event
from spendgate.model.money import format_usd
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy
from spendgate.model.topics import Topics, load_topics

AGENTS = 2
TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    events: int
    file: Path | None
    seed: int
    rate: int
    leave: bool
    as_json: bool


def run(wish: Wish) -> bool:
    """Run it; whether every decision was there, once or repeated unchanged, and equal to the replay's."""
    console = Console(stderr=wish.as_json)
    begun = time.monotonic()
    with running_stack(console.log if wish.as_json else console.print) as stack, ExitStack() as exits:
        topics = made_topics(stack.bootstrap)
        running = exits.enter_context(workers(AGENTS, stack, home() / "demo", home() / "ledger"))
        events, tenants = _events(wish)
        producer = exits.enter_context(Producer(stack.bootstrap, TIMEOUT_S, console.print))
        starts = ends(stack.bootstrap, topics.events.name, range(topics.events.partitions))
        policies = _publish(producer, topics, tenants)
        feed = exits.enter_context(
            closing(Feed(stack.bootstrap, topics.decisions.name, topics.decisions.partitions, tenants))
        )
        show = Show(console, feed, Sender(producer, topics.events.name, wish.rate), len(events))
        show.stream(events, live=not wish.as_json)
        verdict = show.settle(lambda: owed(stack.bootstrap, topics, tenants, starts, policies), running)
        learnt = _study(stack.bootstrap, topics, tenants, list(policies.values()), show.tally, running)
        _report(console, wish, len(events), show.tally, verdict, learnt, time.monotonic() - begun)
        if not wish.leave and sys.stdin.isatty():
            _linger(console, tenants[0], learnt)
    return verdict.clean and not learnt.different


def _events(wish: Wish) -> tuple[list[Event], list[str]]:
    """The events, and their tenants: new ones at each run, so that counters begin empty.

    A sample is shared by two tenants, which live in different partitions, so that both agents have work.
    """
    stamp = f"{datetime.now(UTC):%m%d-%H%M%S}"
    if wish.file is not None:
        tenant = f"demo-{stamp}"
        return _shifted(list(read_events(wish.file, ReadOptions(tenant=tenant)))), [tenant]
    partitions = load_topics().events.partitions
    first = f"demo-{stamp}-a"
    half = partitions // 2
    far = (name for n in range(1000) if (name := f"demo-{stamp}-b{n}"))
    taken = partition_of(first.encode(), partitions) // half
    second = next(name for name in far if partition_of(name.encode(), partitions) // half != taken)
    start = datetime.now(UTC) - timedelta(hours=1)
    events = list(busy_hour(wish.events, wish.seed, start, first))
    return [_moved(event, second) if _is_second(event) else event for event in events], [first, second]


def _is_second(event: Event) -> bool:
    """Which of the two tenants a record of the sample goes to: a fifth of the calls, and what refers to them."""
    return int((event.refers_to or event.id).rsplit("-", 1)[-1]) % 5 == 0


def _moved(event: Event, tenant: str) -> Event:
    return msgspec.structs.replace(event, tenant=tenant)


def _shifted(events: list[Event]) -> list[Event]:
    if not events:
        raise StackError("file: expected at least one event")
    by = datetime.now(UTC) - max(event.time for event in events)
    return [msgspec.structs.replace(event, time=event.time + by) for event in events]


def _publish(producer: Producer, topics: Topics, tenants: list[str]) -> dict[str, Policy]:
    """Stage the example policies for each tenant; the policies by hash."""
    policies = [read_policy(path.read_text(encoding="utf-8"), path.name) for path in _example_files()]
    for tenant in tenants:
        publisher = Publisher(producer, topics.policies.name, topics.events.name, Board())
        publisher.publish(policies, tenant, again=True, only=False)
    return {policy_hash(policy): policy for policy in policies}


def _example_files() -> list[Path]:
    return sorted((CHECKOUT / "examples").glob("*.yaml"))


def _study(
    bootstrap: str,
    topics: Topics,
    tenants: list[str],
    policies: list[Policy],
    tally: Tally,
    running: "list[subprocess.Popen[bytes]]",
) -> Study:
    """Simulate what was staged on the ledger that the live part has written."""
    root, topic = home() / "ledger", topics.events
    topic_id = topic_id_of(bootstrap, topic.name, TIMEOUT_S, lambda _: None)
    at_end = ends(bootstrap, topic.name, range(topic.partitions))
    wait_recorded(root, topic_id, at_end, lambda: all(each.poll() is None for each in running))
    return study(root, home() / "demo", tenants, _example_files(), policies, tally.decisions.values())


def _report(
    console: Console, wish: Wish, events: int, tally: Tally, verdict: Verdict, learnt: Study, seconds: float
) -> None:
    if wish.as_json:
        figures = {
            "events": events,
            "decisions": len(tally.decisions),
            "missing": verdict.missing,
            "duplicated": verdict.duplicated,
            "mismatched": verdict.mismatched + verdict.extra,
            "verdicts": dict(sorted(tally.events.items())),
            "cost_nano_usd": sum(tally.nano_usd.values()),
            "simulation": {"agreed": learnt.agreed, "different": learnt.different},
            "suggested_cap_usd": (learnt.suggestion or {}).get("cap_usd"),
            "report": str(learnt.page),
            "seconds": round(seconds, 3),
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    total = format_usd(sum(tally.nano_usd.values()))
    console.print(
        f"\n{len(tally.decisions):,} decisions on {events:,} records worth {total}, in {seconds:.0f} s, "
        f"{tally.rate:,.0f} a second at the paced rate. Nothing was blocked."
    )
    console.print(
        f"Checked against an offline replay of the log: [bold]{verdict.missing} missing, {verdict.duplicated} doubled, "
        f"{verdict.mismatched + verdict.extra} different[/bold]."
    )
    console.print(
        f"Simulated over the ledger that the agents have written: {learnt.agreed:,} calls get the verdict that they "
        f"got live, [bold]{learnt.different:,} another[/bold]."
    )
    if (better := learnt.suggestion) is not None:
        console.print(f"A better cap for {better['policy']}: [bold]${better['cap_usd']}[/bold], {better['words']}.")
    console.print(f"All of it, with its curves: {learnt.page}")
    if wish.file is None:
        console.print("The traffic was a seeded sample: its calls, owners and prices are imagined.")


def _linger(console: Console, tenant: str, learnt: Study) -> None:
    """Leave everything running for a look around, until Ctrl-C."""
    console.print(
        "\nTry next, in another terminal:\n"
        f"  spendgate decisions --verdict deny --tenant {tenant}   the denials, in words\n"
        "  spendgate policy list                                  what is staged\n"
        f"  {_shown(learnt)}\n"
        "  spendgate validate examples/*.yaml                     the policies; change one, then publish it:\n"
        f"  spendgate policy publish examples/employee-daily.yaml --tenant {tenant}\n"
        "\nThe stack and both agents go on running; Ctrl-C ends them."
    )
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _shown(learnt: Study) -> str:
    """The command of the study, as somebody in this folder types it."""
    here = f"{Path.cwd()}/"
    return shlex.join(["spendgate", *(part.removeprefix(here) for part in learnt.command)])
