"""Laws of a door whose stores end under it: each page says which one, since when and what it means, and shows no number
of before as one of now; when it is back, so are the numbers."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from dev.kafka_process import KafkaProcess
from dev.postgres_process import PostgresProcess, postgres_programs
from dev.redis_process import RedisProcess, preferred_kind
from dev.report import silent
from dev.server import ServerProcess
from dev.trial.starting import begin_again
from gateway_shadow.outages import MEANING, StoreName
from tests.door.browser import Browser
from tests.door.conftest import Door, make_upon
from tests.engine.scenes import log_of
from tests.live.waiting import until
from tests.pages.conftest import browser_of
from tests.pages.reader import read
from tests.reconcile.test_reconcile import busy, write
from tests.stack import require_binary

PAGES = ("/", "/shadow", "/ledger", "/budgets", "/alerts", "/settings")
NOT_OF_THE_LEDGER = ("/budgets", "/alerts", "/settings")
SPEND = "Spent this month"
Ends = dict[StoreName, tuple[Callable[[], object], Callable[[], object]]]


@dataclass
class Fragile:
    """A door upon servers of its own, somebody's browser, and what ends and brings back each store."""

    door: Door
    viewer: Browser
    ends: Ends

    def says(self, address: str) -> str:
        """A page in words."""
        page = self.viewer.get(address)
        assert read(page.text).found() == []
        return re.sub(r"\s+", " ", unescape(re.sub(r"<(?!time)[^>]+>", " ", page.text)))

    @contextmanager
    def without(self, store: StoreName, words: str) -> Iterator[None]:
        """While a store is away, and the door has seen it; until it has seen it come back."""
        end, begin = self.ends[store]
        begun = datetime.now(UTC)
        end()
        try:
            until(lambda: words in self.says("/"), f"the page to say: {words}")
            for page in PAGES:
                self.tells(page, store, words, begun)
            yield
        finally:
            begin()
        until(lambda: words not in self.says("/") and SPEND in self.says("/"), f"the page no longer to say: {words}")

    def tells(self, address: str, store: StoreName, words: str, begun: datetime) -> None:
        """The store, since when, and what it means, on a page that has anything to do with it."""
        said = self.says(address)
        if store == "ledger" and address in NOT_OF_THE_LEDGER:
            assert address == "/budgets" or words not in said
            return
        found = re.search(rf'{re.escape(words)}\s+Since <time datetime="([^"]+)"', said)
        assert found is not None, (address, said)
        assert MEANING[store] in said
        assert begun.replace(microsecond=0) <= datetime.fromisoformat(found[1]) <= datetime.now(UTC)


def started(server: ServerProcess) -> None:
    begin_again(server)


@pytest.fixture(scope="module")
def fragile(
    postgres: PostgresProcess, kafka_libs: tuple[Path, Path], new_directory: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fragile]:  # fmt: skip
    """``postgres`` says whether there can be one."""
    require_binary(preferred_kind())
    folder, log = new_directory(), new_directory() / "setup.log"
    base = PostgresProcess(folder, postgres_programs(log, silent))
    kafka = KafkaProcess(new_directory(), libs=kafka_libs[0], java=kafka_libs[1])
    redis = RedisProcess(new_directory(), binary=preferred_kind())
    servers: list[ServerProcess] = [base, kafka, redis]
    door = None
    try:
        for each in servers:
            started(each)
        door = door_upon(base, kafka, tmp_path_factory.mktemp("fragile"))
        door.start(SPENDGATE_REDIS=redis.url)
        hidden = door.folder / "elsewhere"
        ends: Ends = {
            "policies": (base.kill, lambda: started(base)), "kafka": (kafka.kill, lambda: started(kafka)),
            "redis": (redis.kill, lambda: started(redis)),
            "ledger": (lambda: door.ledger.rename(hidden), lambda: hidden.rename(door.ledger)),
        }  # fmt: skip
        viewer = browser_of(door, "viewer")
        found = Fragile(door, viewer, ends)
        until(lambda: SPEND in found.says("/"), "the ledger to be counted")
        yield found
        viewer.close()
    finally:
        if door is not None:
            door.close()
        for each in servers:
            each.kill()


def door_upon(base: PostgresProcess, kafka: KafkaProcess, folder: Path) -> Door:
    """Not started yet; with a ledger."""
    made = make_upon(base, kafka.bootstrap, folder)
    log, decisions, _ = busy()
    write(made.ledger, log_of(*(record.body for record in log)), decisions)
    return made


def test_without_redis_every_page_says_that_nothing_can_be_enforced(fragile: Fragile) -> None:
    with fragile.without("redis", "Redis does not answer."):
        assert "Shadow only: nothing is blocked." in fragile.says("/settings")
        assert "$" not in fragile.says("/budgets")


def test_without_kafka_every_page_says_that_senders_come_back(fragile: Fragile) -> None:
    with fragile.without("kafka", "Kafka does not answer."):
        assert SPEND in fragile.says("/")


def test_without_the_ledger_no_sum_is_shown_and_what_is_not_of_it_is(fragile: Fragile) -> None:
    with fragile.without("ledger", "The ledger does not answer."):
        assert SPEND not in fragile.says("/")
        assert "$" not in fragile.says("/shadow") + fragile.says("/ledger")
        story = fragile.viewer.get("/shadow/story?source=app&id=e1")
        assert story.status_code >= 400
        assert "The ledger does not answer." in story.text
        assert "Nobody waits for an answer" in fragile.says("/reviews") or "Nothing waits here" in fragile.says(
            "/reviews"
        )


def test_without_the_policy_store_no_state_of_enforcement_and_no_number_is_claimed(fragile: Fragile) -> None:
    with fragile.without("policies", "The policy store does not answer."):
        for each in PAGES:
            said = fragile.says(each)
            assert "What is enforced cannot be read now." in said, each
            assert "Shadow only" not in said, each
        assert fragile.viewer.get("/settings").status_code == 503
