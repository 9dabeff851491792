"""What a target is sent. Pure.

A webhook gets JSON in the form of Standard Webhooks (standardwebhooks.com): its id, the time of the attempt and the
body are signed with HMAC-SHA256. A channel in Slack's format gets blocks, and the same in plain text.
"""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from policy_store.alert_targets import SECRET_PREFIX
from policy_store.alerts import Alert
from spendgate.engine.counter_keys import SHARED
from spendgate.model.alert import AlertData, AlertMessage, encode_alert
from spendgate.model.words import instant, money, window_words

_HEADER_CHARS, _TEXT_CHARS, _FIELD_CHARS = 150, 2900, 1900
"""Slack's limits are 150, 3000 and 2000."""
_TITLES = {
    "threshold": "{percent} % of a budget is used", "cap": "A budget is over its cap",
    "enforcement_demoted": "A policy is back in shadow", "gate_lost": "A policy's proof no longer holds",
    "test": "A test of this alert target",
}  # fmt: skip
_WOULD = {"warn": "would be warned of", "review": "would wait for a review", "deny": "would be denied"}
_IS = {"warn": "is warned of", "review": "waits for a review", "deny": "is denied"}


def trial(tenant: str, target: str, id_: str, now_ms: int) -> AlertMessage:
    """What the test of a target sends."""
    data = AlertData(
        alert_id=id_, kind="test", tenant=tenant, policy="test", staging="test", stage="shadow",
        words=f"this is a test of the alert target {target}; nothing was crossed",
    )  # fmt: skip
    return AlertMessage(type="alert.test", timestamp=_instant(now_ms), data=data)


def message_of(alert: Alert) -> AlertMessage:
    """An alert as it is sent."""
    same = {name: getattr(alert, name) for name in AlertData.__struct_fields__ if hasattr(alert, name)}
    data = AlertData(
        **same, alert_id=alert.id, window_start=_maybe(alert.window_start_ms), window_end=_maybe(alert.window_end_ms),
        event_time=_maybe(alert.event_ms),
    )  # fmt: skip
    return AlertMessage(type=f"alert.{alert.kind}", timestamp=_instant(alert.at_ms), data=data)


def webhook(message: AlertMessage, secrets: Iterable[str], now_ms: int) -> tuple[dict[str, str], bytes]:
    """Headers and body for a webhook, signed with each of the secrets."""
    body, id_, at = encode_alert(message), message.data.alert_id, str(now_ms // 1000)
    headers = {
        "Content-Type": "application/json", "webhook-id": id_, "webhook-timestamp": at,
        "webhook-signature": " ".join(signature(secret, id_, at, body) for secret in secrets),
    }  # fmt: skip
    return headers, body


def signature(secret: str, id_: str, at: str, body: bytes) -> str:
    """The signature of a message: ``v1,`` and base64 of HMAC-SHA256 over ``<id>.<timestamp>.<body>``, by the bytes
    that stand in base64 behind the secret's ``whsec_``."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    return f"v1,{b64encode(hmac.digest(key, f'{id_}.{at}.'.encode() + body, 'sha256')).decode()}"


def slack(message: AlertMessage) -> tuple[dict[str, str], bytes]:
    """Headers and body for an incoming webhook of Slack, or of what understands its format."""
    data = message.data
    title = _TITLES[data.kind].format(percent=data.threshold_percent)
    fields = [f"*{name}*\n{_escaped(value)}"[:_FIELD_CHARS] for name, value in _fields(data).items()]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": f"{title}: {data.policy}"[:_HEADER_CHARS]}},
        {"type": "section", "text": _mrkdwn(_escaped(data.words)[:_TEXT_CHARS])},
    ]
    if fields:
        blocks.append({"type": "section", "fields": [_mrkdwn(each) for each in fields]})
    about = f"{data.tenant} · {data.stage} · {instant(message.timestamp.replace(microsecond=0))} · {data.alert_id}"
    blocks.append({"type": "context", "elements": [_mrkdwn(_escaped(about)[:_FIELD_CHARS])]})
    body = {"text": f"{_escaped(title)}: {_escaped(data.words)}"[:_TEXT_CHARS], "blocks": blocks}
    return {"Content-Type": "application/json"}, json.dumps(body, ensure_ascii=False).encode()


def _fields(data: AlertData) -> Mapping[str, str]:
    if data.limit_nano_usd is None or data.used_before_nano_usd is None:
        return {}
    said = (_IS if data.stage == "enforced" else _WOULD).get(data.verdict or "", "")
    used = data.used_before_nano_usd + (0 if data.kind == "cap" else data.cost_nano_usd or 0)
    return {
        "Cap": money(data.limit_nano_usd), "Used": money(used),
        "For": "everything" if data.counter in (None, SHARED) else data.counter or "",
        "Window": window_words(data.window_start, data.window_end),
        "This call": " ".join(filter(None, [money(data.cost_nano_usd or 0), said])),
    }  # fmt: skip


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _escaped(text: str) -> str:
    """As Slack wants it; a cut may fall inside, and then shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _maybe(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else _instant(at_ms)
