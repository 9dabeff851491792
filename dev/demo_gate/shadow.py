"""The first chapters: a policy is staged, and shadow looks on for as long as its gate asks for."""

from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dev.demo.stream import Feed
from dev.demo.tally import Tally
from dev.demo_gate.facts import Facts
from dev.demo_gate.ground import TENANT
from dev.demo_gate.month import CAP_NANO_USD, TEAM, Day, days, month_before
from dev.demo_gate.telling import Teller, usd

NAME = "marketing-monthly"
POLICY = f"""\
apiVersion: spendgate/v1
kind: Policy
metadata: {{name: {NAME}, description: What a team may spend in a month.}}
spec:
  rules:
    - budget: {{cap_usd: "100", window: {{calendar: month, timezone: UTC}}, per: [team], on_breach: deny}}
  enforcement: {{fail_mode: closed, reserve_for: 1m}}
"""
_EARLY = timedelta(hours=1)


def staged(teller: Teller) -> str:
    """Have the policy staged, two months ago by the demo's clock; the staging's id."""
    teller.chapter(f"A policy is staged in shadow: no team spends more than {usd(CAP_NANO_USD)} a month")
    yaml = {"Content-Type": "application/yaml"}
    made = teller.good("ann", "POST", "/v1/policies", content=POLICY, headers=yaml)
    wanted = {"hash": made["latest"]["hash"], "waiver": "there is no history yet"}
    teller.command(f"spendgate policy submit {NAME} --waiver 'there is no history yet'        # ann, its author")
    asked = teller.good("ann", "POST", f"/v1/policies/{NAME}/stagings", json=wanted)
    tag = {"If-Match": f'"{asked["revision"]}"'}
    teller.command(f"spendgate policy approve {asked['id']}                               # bob")
    found = teller.good("bob", "POST", f"/v1/stagings/{asked['id']}/approve", json={}, headers=tag)
    why = "the vendor of this story sends no bill"
    teller.command(f"spendgate waiver give {NAME} bill --why '{why}'   # cat, an operator")
    teller.good("cat", "POST", f"/v1/stagings/{found['id']}/waivers", json={"criterion": "bill", "why": why})
    teller.say(f"{found['state']}: {found['id']}, on {teller.ground.clock.now():%d %B}. It blocks nothing.")
    return str(found["id"])


@dataclass
class Looking:
    """Plays the days, and notes what shadow says meanwhile."""

    teller: Teller
    feed: Feed
    tally: Tally = field(default_factory=Tally)
    sent: int = 0
    checks: list[dict[str, Any]] = field(default_factory=list)

    def play(self, day: Day, is_last: bool) -> None:
        """A day's calls come at its end; they are judged before the clock goes on."""
        clock = self.teller.ground.clock
        clock.be_right() if is_last else clock.set(day.at)
        self.teller.good("app", "POST", "/v1/events", json=day.calls)
        self.sent += len(day.calls)
        self.wait()
        self.checks.append(self.ask(day))

    def wait(self) -> None:
        """Until every call that was sent has its decision."""

        def judged() -> bool:
            self.feed.poll(self.tally)
            return len(self.tally.decisions) >= self.sent

        self.teller.until(judged, "a decision for each call")

    def ask(self, day: Day) -> dict[str, Any]:
        """What a call of the day's dearest kind would be told now."""
        question = {"team": TEAM, "estimate_nano_usd": max(each["cost_nano_usd"] for each in day.calls)}
        found: dict[str, Any] = self.teller.good("app", "POST", "/v1/check", json=question)
        return found


def before(now: datetime) -> datetime:
    """When the story begins: an hour before the month before this one."""
    return month_before(now) - _EARLY


def looked_on(teller: Teller, facts: Facts, now: datetime) -> None:
    """Last month and this one, up to today."""
    played = list(days(now))
    teller.chapter(f"Shadow looks on: {len(played)} days, from {played[0].at:%d %B} to today")
    topics = teller.ground.topics
    with closing(
        Feed(teller.ground.stack.bootstrap, topics.decisions.name, topics.decisions.partitions, [TENANT])
    ) as feed:
        looking = Looking(teller, feed)
        teller.until(lambda: looking.ask(played[0])["fault"] is None, "the first answer to a check")
        for number, day in enumerate(played, 1):
            looking.play(day, is_last=number == len(played))
    said = looking.tally.events
    would = [each for each in looking.checks if each["would_be"] == "deny"]
    teller.say(f"{len(looking.tally.decisions):,} calls, each judged; {said['deny']:,} would have been denied.")
    teller.say(
        f'Asked once a day before a call (POST /v1/check): {len(looking.checks)} times "allow", on {len(would)} days '
        f'with "would_be": "deny" beside it. Nothing was blocked.'
    )
    facts.shadow_blocked_nothing = bool(would) and said["deny"] > 0 and all(each["allow"] for each in looking.checks)
