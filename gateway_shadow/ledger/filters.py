"""By what decisions and events are chosen, in pages and in exports alike."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Query
from pydantic import AwareDatetime

from gateway_shadow.documents import Name
from spendgate.ledger.export_formats import Exported
from spendgate.ledger.row_filter import Wanted, wanted_of
from spendgate.model.decision import Code, Verdict

_From = Annotated[AwareDatetime | None, Query(alias="from", description="From this time of the call on.")]
_To = Annotated[AwareDatetime | None, Query(description="Before this time of the call.")]
_Word = Annotated[Name | None, Query()]


class Chosen(NamedTuple):
    """What was said, by the names of columns, and times of the call, half open."""

    said: dict[str, str]
    from_: datetime | None
    to: datetime | None

    def of(self, table: Exported) -> Wanted:
        """As the ledger's reader takes it."""
        return wanted_of(table, *self)


def _decisions(
    verdict: Annotated[Verdict | None, Query()] = None, policy: _Word = None, staging: _Word = None,
    code: Annotated[Code | None, Query()] = None, source: _Word = None, event_id: _Word = None, from_: _From = None,
    to: _To = None,
) -> Chosen:  # fmt: skip
    said = _told(verdict=verdict, policy=policy, staging=staging, code=code, source=source, event_id=event_id)
    return Chosen(said, from_, to)


def _events(
    team: _Word = None, employee: _Word = None, customer: _Word = None, project: _Word = None, workflow: _Word = None,
    agent: _Word = None, vendor: _Word = None, model: _Word = None, source: _Word = None,
    id_: Annotated[Name | None, Query(alias="id")] = None, from_: _From = None, to: _To = None,
) -> Chosen:  # fmt: skip
    said = _told(
        team=team, employee=employee, customer=customer, project=project, workflow=workflow, agent=agent,
        vendor=vendor, model=model, source=source, id=id_,
    )  # fmt: skip
    return Chosen(said, from_, to)


DecisionsChosen = Annotated[Chosen, Depends(_decisions)]
EventsChosen = Annotated[Chosen, Depends(_events)]


def _told(**values: Any) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
