"""Where recorded events come from: the ledger, or a file as it is. All of them as Arrow batches of EVENTS columns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.columns import EVENTS
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.event_rows import batch_of
from spendgate.ledger.reader_folder import content_of
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import Refused
from spendgate.ledger.readers import open_reading
from spendgate.model.event import Event
from spendgate.simulate.repeats import Repeats
from spendgate.simulate.selection import EVERYTHING, Selection

CHUNK = 20_000


class History(Protocol):
    """Events that can be passed again and again, each tenant's in the order of the log."""

    @property
    def marked(self) -> bool:
        """Whether duplicates are marked already."""

    @property
    def about(self) -> dict[str, str]:
        """What it is, for a report: kind, name, version."""

    def tenants(self) -> Sequence[str] | None:
        """The tenants, if each can be read by itself; None if they come mixed."""

    def batches(self, columns: Sequence[str], tenant: str | None = None) -> Iterator[Any]:
        """Batches of (at least) these EVENTS columns; tenants may be mixed within one if none is named."""


@dataclass
class Passed:
    """A base for what passes another history on, its rows changed or kept."""

    history: History

    @property
    def marked(self) -> bool:
        """See History."""
        return self.history.marked

    @property
    def about(self) -> dict[str, str]:
        """See History."""
        return self.history.about

    def tenants(self) -> Sequence[str] | None:
        """See History."""
        return self.history.tenants()


@dataclass
class LedgerHistory:
    """A ledger at one version."""

    ledger: Ledger
    name: str
    selection: Selection = EVERYTHING
    marked: bool = True

    @property
    def about(self) -> dict[str, str]:
        """See History."""
        return {"kind": "ledger", "name": self.name, "version": str(self.ledger.version)}

    def tenants(self) -> Sequence[str]:
        """See History; sorted."""
        return self.selection.tenants_of(sorted(self.ledger.tenants()))

    def batches(self, columns: Sequence[str], tenant: str | None = None) -> Iterator[Any]:
        """See History."""
        wanted = list(dict.fromkeys((*columns, *self.selection.columns)))
        strings = [name for name in wanted if pa.types.is_string(EVENTS.field(name).type) and name not in _UNIQUE]
        for each in [tenant] if tenant is not None else self.tenants():
            read = self.ledger.event_batches(
                each, wanted, self.selection.from_, self.selection.to, dictionaries=strings, all_annotations=True
            )
            yield from (chosen for batch in read if (chosen := self.selection.of(batch)).num_rows)


_UNIQUE = ("id", "refers_to", "tenant")


@dataclass
class FileHistory:
    """A file or a folder that a reader knows, read anew for every pass. Refused rows go to ``on_refused``, once."""

    path: Path
    options: ReadOptions
    selection: Selection = EVERYTHING
    on_refused: Callable[[Refused], None] = lambda _: None
    dropped: set[str] = field(default_factory=set)
    _passed: bool = False
    _about: dict[str, str] = field(default_factory=dict)

    @property
    def marked(self) -> bool:
        """See History: only where some are left out, for a repeat of what is left out is one all the same."""
        return self.selection != EVERYTHING

    @property
    def about(self) -> dict[str, str]:
        """See History; the version is the SHA-256 of the content. ``dropped``: fields of content, left unread."""
        if not self._about:
            kind = "folder" if self.path.is_dir() else "file"
            self._about = {"kind": kind, "name": self.path.name, "version": content_of(self.path)[0]}
        return self._about | ({"dropped": ",".join(sorted(self.dropped))} if self.dropped else {})

    def tenants(self) -> None:
        """See History: as they come."""

    def batches(self, columns: Sequence[str], tenant: str | None = None) -> Iterator[Any]:
        """See History; columns that were not asked for are there too."""
        repeats = Repeats() if self.marked and "duplicate" in columns else None
        with open_reading(self.path, self.options) as reading:
            for part in reading.parts(CHUNK):
                batch = self._batch(part) if isinstance(part, list) else part
                yield self.selection.of(batch if repeats is None else repeats.mark(batch))
            self.dropped.update(reading.dropped)
        self._passed = True

    def _batch(self, part: Iterable[Event | Refused]) -> Any:
        events: list[Event] = []
        for item in part:
            if isinstance(item, Event):
                events.append(item)
            elif not self._passed:
                self.on_refused(item)
        return batch_of(events)


def by_tenant(batch: Any) -> Iterator[tuple[str, Any]]:
    """A mixed batch, tenant by tenant, each in its order."""
    column = batch["tenant"]
    tenants = pc.unique(column).to_pylist()
    for tenant in tenants:
        yield tenant, batch if len(tenants) == 1 else batch.filter(pc.equal(column, tenant))
