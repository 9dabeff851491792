"""The staged documents, live: policies by hash from ``spend.policies``, read when one is asked for."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.delivery import Transient
from agents.log import BACKOFF_MS, close
from spendgate.model.announcement import Board
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy
from spendgate.model.topics import Topic

log = logging.getLogger(__name__)


class Documents:
    """Policies by hash. What is not there yet is waited for: it never guesses and never drops."""

    def __init__(self, bootstrap: str, topic: Topic, auth: Mapping[str, Any] | None = None) -> None:
        self.known: dict[str, Policy] = {}
        self._auth = auth or {}
        self._bootstrap = bootstrap
        self._topic = topic.name
        self._places = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
        self._board = Board()
        self._positions: dict[TopicPartition, int] = {}

    async def require(self, hashes: Iterable[str]) -> dict[str, Policy]:
        """All known policies, among them these. Raises Transient while one of them has not been published."""
        missing = set(hashes) - self.known.keys()
        if missing:
            await self._refresh()
            missing -= self.known.keys()
        if missing:
            raise Transient(f"policy document {sorted(missing)[0][:12]} is not on {self._topic} yet", "policies")
        return self.known

    async def _refresh(self) -> None:
        """Read the topic from where the last reading ended to its present end."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, retry_backoff_ms=BACKOFF_MS, **self._auth
        )
        try:
            await consumer.start()
            await self._read(consumer)
        finally:
            await close(consumer)
        self._take_new()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        places = self._places
        consumer.assign(places)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, max(self._positions.get(place, 0), begins[place]))
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    self._board.take(record.key or b"", record.value)
        for place in places:
            self._positions[place] = await consumer.position(place)

    def _take_new(self) -> None:
        for name, document in self._board.documents.items():
            if name in self.known:
                continue
            try:
                self.known[name] = from_canonical(document.content)
            except ValueError:
                log.error("document %s on %s is no policy of this version", name[:12], self._topic)
