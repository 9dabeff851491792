"""How the story is told: chapters, what was done and by which command, what came of it; and what is waited for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from rich.console import Console

from dev.demo_gate.ground import Ground
from dev.errors import StackError

WITHIN_S = 120.0
_LOOK_S = 0.1
T = TypeVar("T")


@dataclass
class Teller:
    """Says what happens as it happens."""

    console: Console
    ground: Ground
    chapters: int = 0
    begun_s: float = field(default_factory=time.monotonic)

    def chapter(self, title: str) -> None:
        """The next part."""
        self.chapters += 1
        after_s = time.monotonic() - self.begun_s
        line = f"\n[bold]{self.chapters}. {title}[/bold]  ({after_s:.0f} s)"
        self.console.print(line, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """What came of it."""
        self.console.print(f"   {text}", markup=False, highlight=False, soft_wrap=True)

    def command(self, text: str) -> None:
        """What was done, as somebody would type it."""
        self.console.print(f"   $ {text}", markup=False, highlight=False, soft_wrap=True)

    def until(self, ask: Callable[[], T | None], what: str) -> T:
        """Wait for something. Raises StackError where it does not come, or a process has ended."""
        deadline = time.monotonic() + WITHIN_S
        while not (found := ask()):
            self.ground.require_alive()
            if time.monotonic() > deadline:
                raise StackError(f"not within {WITHIN_S:g} s: {what} (logs: {self.ground.folder})")
            time.sleep(_LOOK_S)
        return found

    def ask(self, person: str, method: str, at: str, **content: Any) -> httpx.Response:
        """The door's answer to a person."""
        with self.ground.client(person) as client:
            return client.request(method, at, **content)

    def good(self, person: str, method: str, at: str, **content: Any) -> Any:
        """The same, where only success will do. Raises StackError."""
        answer = self.ask(person, method, at, **content)
        if not answer.is_success:
            raise StackError(f"the door answered {answer.status_code} to {method} {at}: {detail(answer)}")
        return answer.json()


def detail(answer: httpx.Response) -> str:
    """What a refusal says."""
    return str(answer.json().get("detail", answer.text))


def usd(nano_usd: int) -> str:
    """Dollars, to the nano-dollar where it matters."""
    return f"${nano_usd / 1e9:.2f}" if nano_usd % 10_000_000 == 0 else f"${nano_usd / 1e9:.9f}"
