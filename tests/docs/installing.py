"""Installing Spendgate as a page says, on a Kafka and a Redis that hold nothing of it: commands after
``<!-- run: install -->`` in their order, processes after ``<!-- run: background -->``, which run until the page ends,
and between them what happens there, ``<!-- here: ... -->``.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import NamedTuple

from rich.console import Console

from dev.demo_gate.facts import Facts
from dev.demo_gate.ground import laid
from dev.demo_gate.month import TOO_NEAR, ends_soon
from dev.demo_gate.run import until_proven
from dev.demo_gate.telling import Teller
from dev.places import CHECKOUT
from dev.redis_process import RedisProcess
from dev.stack import Stack
from tests.docs.pages import Block
from tests.docs.session import Session
from tests.live.waiting import until
from tests.runbooks.matching import Names

COMMANDS, PROCESS = "run: install", "run: background"
WITHIN_S = 120.0
_PART = re.compile(
    r"^<!-- here: (?P<here>[^\n]+) -->$"
    r"|^<!-- (?P<mark>run: install|run: background|file: [\w.-]+) -->\n```(?P<fence>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PERSON = re.compile(r"(?P<command>.*?)\s+# (?P<person>ann|bob|cat|dan|app|eve)$")
ROLES = {"ann": "editor", "bob": "approver", "dan": "operator", "app": "ingest", "eve": "content"}
"""Of those who have keys once acme is installed; cat, an operator, has the first."""


class Here(NamedTuple):
    """What happens, by its words."""

    words: str


class File(NamedTuple):
    """A file that the page shows."""

    name: str
    text: str


class Typed(NamedTuple):
    """A command and the lines that it prints; ``goes_on``: a process; ``waits``: asked again until it prints them."""

    command: str
    expected: list[str]
    goes_on: bool
    waits: bool


def parts(page: str) -> Iterator[Here | File | Typed]:
    """What a page says, in order."""
    for found in _PART.finditer((CHECKOUT / page).read_text(encoding="utf-8")):
        if found["here"]:
            yield Here(found["here"])
        elif found["mark"].startswith("file: "):
            yield File(found["mark"].removeprefix("file: "), found["text"])
        else:
            yield from _typed(found["mark"], found["fence"], found["text"])


def _typed(mark: str, fence: str, text: str) -> Iterator[Typed]:
    if mark == PROCESS:  # what follows its command is its output, though it look like a command
        command, _, printed = re.sub(r"\\\n\s*", " ", text).partition("\n")
        yield Typed(command.removeprefix("$ "), _lines(printed), goes_on=True, waits=False)
        return
    for command, printed in Block(mark, "console", text).steps():
        yield Typed(command, _lines(printed), goes_on=False, waits=fence == "console wait")


def _lines(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.strip()]


@dataclass
class Installation:
    """What a page installs."""

    session: Session
    redis: RedisProcess
    stack: Stack
    exits: ExitStack
    names: Names = field(default_factory=Names)
    keys: dict[str, str] = field(default_factory=dict)

    def walk(self, page: str) -> int:
        """Walk it; how many commands it has had. What they print must be what it says."""
        number = 0
        for part in parts(page):
            if isinstance(part, Here):
                self.happens[part.words]()
            elif isinstance(part, File):
                (self.session.folder / part.name).write_text(part.text, encoding="utf-8")
            else:
                number += 1
                self._typed(part, page)
        return number

    def _typed(self, part: Typed, page: str) -> None:
        found = _PERSON.fullmatch(part.command)
        command = self.names.put_in(found["command"] if found else part.command)
        as_whom = {"SPENDGATE_API_KEY": self.keys[found["person"]]} if found else {}
        printed: Callable[[], str] = (
            self.session.start(command, as_whom) if part.goes_on else lambda: self.session.run(command, as_whom)
        )
        lacking, said = None, ""

        def prints() -> bool:
            nonlocal lacking, said
            said = printed()
            lacking = self.names.lacking(part.expected, said)
            return lacking is None

        def told() -> str:
            return f"\nlacking: {lacking}\nprinted:\n{said}\n{self.session.logs()}"

        if part.goes_on or part.waits:
            assert part.expected, f"{page}: {command}: what says that it is ready?"
            until(prints, f"{page}: {command}", WITHIN_S, told)
        else:
            assert prints(), f"{page}: {command}{told()}"

    @property
    def happens(self) -> dict[str, Callable[[], None]]:
        """What may happen, by its words."""
        return {
            "acme is installed": self._installed,
            "everybody has a key": self._people,
            "the door runs": self._door,
            "a worker runs": lambda: self._agent("worker", "assigned: 0,1,2,3,4,5,6,7"),
            "what was approved is in force": lambda: until(
                lambda: " in force" in self.session.logs(), "a worker that obeys it", WITHIN_S, self.session.logs
            ),
            "the ledger agents run": self._ledger_agents,
            "two months of shadow are proven": self._proven,
            "the broker is new": self.session.renew_topics,
            "redis stops": self.redis.kill,
        }

    def _installed(self) -> None:
        """A store with its key, and cat's."""
        session = self.session
        session.run("spendgate topics apply")
        told = session.run("spendgate admin init --tenant acme --person cat", {})
        self.keys["cat"] = session.environment["SPENDGATE_API_KEY"] = _key_in(told)
        session.environment["SPENDGATE_URL"] = f"http://127.0.0.1:{session.places['8080']}"
        session.run("export SPENDGATE_STORE_KEYS=$(spendgate admin public-key)")

    def _proven(self) -> None:
        """The story of the gate, up to a gate that is open; commands are cat's from now on."""
        until(lambda: not ends_soon(datetime.now(UTC)), "the month to have turned", 2 * TOO_NEAR.total_seconds())
        ground = self.exits.enter_context(laid(self.stack))
        said = Console(file=StringIO())
        until_proven(Teller(said, ground), Facts(), datetime.now(UTC))
        self.session.prefix = ground.environment["SPENDGATE_TOPIC_PREFIX"]
        own = {"SPENDGATE_URL": ground.url, "SPENDGATE_API_KEY": ground.keys["cat"]}
        self.session.environment |= {**ground.environment, **own}

    def _door(self) -> None:
        """A door, and keys for everybody."""
        self._process("python -m gateway_shadow.app", "Uvicorn running")
        self._people()

    def _people(self) -> None:
        """Keys, made by whoever types."""
        for person, role in ROLES.items():
            self.keys[person] = _key_in(self.session.run(f"spendgate key create {person} {role}"))

    def _agent(self, role: str, ready: str) -> None:
        self._process(f"python -m agents.app {role}", ready)

    def _ledger_agents(self) -> None:
        for role in ("ledger-events", "ledger-decisions"):
            self._agent(role, "assigned: 0,1,2,3,4,5,6,7")

    def _process(self, command: str, ready: str) -> None:
        log = self.session.start(command, {})
        until(lambda: ready in log(), command, WITHIN_S, log)


def _key_in(told: str) -> str:
    found = re.search(r"sgk_[\w-]+", told)
    assert found is not None, told
    return found[0]
