"""The alert, as a webhook gets it: what has been crossed, or what has changed about a staging. Metadata alone."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from spendgate.model.decision import Verdict

AlertKind = Literal["threshold", "cap", "enforcement_demoted", "gate_lost"]
"""``threshold``: a call brought a counter to a percentage of ``warn_at_percent``. ``cap``: a call was over the cap.
``enforcement_demoted``: an enforced staging went back to shadow. ``gate_lost``: what had proven a staging no longer
holds."""


class AlertData(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """What is known. Sums are nano-USD, those just before the call; ``words`` says it in one line. What follows
    ``words`` stands on a ``threshold`` and a ``cap`` alone, ``threshold_percent`` on a ``threshold``; a lifetime has
    no window."""

    alert_id: str
    kind: AlertKind | Literal["test"]
    tenant: str
    policy: str
    staging: str
    stage: str
    words: str
    rule: int | None = None
    counter: str | None = None
    threshold_percent: int | None = None
    verdict: Verdict | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    limit_nano_usd: int | None = None
    used_before_nano_usd: int | None = None
    cost_nano_usd: int | None = None
    source: str | None = None
    event_id: str | None = None
    event_time: datetime | None = None
    decision_id: str | None = None


class AlertMessage(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A webhook's body, in the form of Standard Webhooks: ``type`` is ``alert.`` and the kind, ``timestamp`` when it
    happened."""

    type: str
    timestamp: datetime
    data: AlertData


encode_alert = msgspec.json.Encoder().encode
"""An alert as a webhook's body."""
