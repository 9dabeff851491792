"""Spendgate's flag for OpenFeature: whether a policy is enforced, for tools that do not ask the check.

::

    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from spendgate_provider import SpendgateProvider

    api.set_provider(SpendgateProvider("https://spendgate.example", "sgk_..."), domain="spendgate")  # a viewer's key
    client = api.get_client("spendgate")
    client.get_boolean_value("enforcement/acme/marketing-monthly", False, EvaluationContext(attributes={"team": "ads"}))

The door is asked every half second, in a thread of its own. What it said is believed for two seconds: whatever cannot
be read, is not known, or is older than that is off, and says why. Where a policy is enforced for a share of owners, the
context says whose call it is, by the names of the scope's fields; one that says nothing is of the owner ``(none)``.
Needs ``pip install 'spendgate[services]'``.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, NoReturn

import httpx
import msgspec
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider
from openfeature.provider.metadata import Metadata

from spendgate.model.enforcement import Share, in_share
from spendgate.model.event import SCOPE_FIELDS

EVERY_S, BELIEVED_S, TIMEOUT_S = 0.5, 2.0, 1.0
PREFIX = "enforcement"
_TYPE = "expected a boolean: there are no other flags here"


class _Enforced(msgspec.Struct):
    policy: str
    staging: str
    certificate: str | None
    share: dict[str, Any] | None = None


class _Status(msgspec.Struct):
    tenant: str
    enforced: list[_Enforced]


class _Seen(NamedTuple):
    """What the door said, and when, by this machine's monotonic clock."""

    status: _Status
    at_s: float


class SpendgateProvider(AbstractProvider):
    """One tenant's flags ``enforcement/<tenant>/<policy>``; the tenant is that of the key."""

    def __init__(
        self, url: str, api_key: str, *, clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        """``clock``: monotonic seconds. ``transport``: of httpx, its own if none is given."""
        super().__init__()
        bearer = {"Authorization": f"Bearer {api_key}"}
        self._client = httpx.Client(base_url=url, headers=bearer, timeout=TIMEOUT_S, transport=transport)
        self._clock = clock
        self._seen: _Seen | None = None
        self._why = "the door has not been asked yet"
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name="spendgate")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Ask once, and go on asking; a door that does not answer is no failure, all is off until it does."""
        self.ask()
        self._thread = threading.Thread(target=self._keep_asking, name="spendgate-flags", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Stop asking."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S + EVERY_S)
        self._client.close()

    def ask(self) -> None:
        """Ask the door what is enforced; what was known stays until it is too old."""
        asked_s = self._clock()
        try:
            answer = self._client.get("/v1/enforcement")
            answer.raise_for_status()
            status = msgspec.json.decode(answer.content, type=_Status)
        except httpx.HTTPStatusError as error:
            self._why = f"the door answered {error.response.status_code}"
        except httpx.HTTPError as error:
            self._why = f"the door does not answer ({type(error).__name__})"
        except msgspec.DecodeError:
            self._why = "the door's answer cannot be read"
        else:
            self._take(_Seen(status, asked_s))

    def _take(self, seen: _Seen) -> None:
        before, self._seen = self._seen, seen
        was = {} if before is None else _by_policy(before.status)
        now = _by_policy(seen.status)
        changed = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
        if before is not None and changed:
            flags = [f"{PREFIX}/{seen.status.tenant}/{name}" for name in changed]
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=flags))

    def _keep_asking(self) -> None:
        is_stale = False
        while not self._stopping.wait(EVERY_S):
            self.ask()
            was_stale, is_stale = is_stale, self._believed() is None
            if is_stale and not was_stale:
                self.emit_provider_stale(ProviderEventDetails(message=self._why))
            elif was_stale and not is_stale:
                self.emit_provider_ready(ProviderEventDetails())

    def _believed(self) -> _Status | None:
        seen = self._seen
        return seen.status if seen is not None and self._clock() - seen.at_s <= BELIEVED_S else None

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Whether the policy is enforced for whom the context names. Off, whatever the default, where that is not
        known."""
        status = self._believed()
        if status is None:
            return _off(Reason.STALE if self._seen else Reason.ERROR, self._why)
        prefix, _, rest = flag_key.partition("/")
        tenant, _, policy = rest.partition("/")
        if (prefix, tenant) != (PREFIX, status.tenant) or not policy:
            return _off(Reason.UNKNOWN, f"expected {PREFIX}/{status.tenant}/<policy>")
        try:
            return _resolved(status.enforced, policy, _call(evaluation_context))
        except ValueError:
            return _off(Reason.ERROR, "the share of owners cannot be read")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> NoReturn:
        """There is none."""
        raise TypeMismatchError(_TYPE)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> NoReturn:
        """There is none."""
        raise TypeMismatchError(_TYPE)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> NoReturn:
        """There is none."""
        raise TypeMismatchError(_TYPE)

    def resolve_object_details(
        self, flag_key: str, default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> NoReturn:  # fmt: skip
        """There is none."""
        raise TypeMismatchError(_TYPE)


def _off(reason: Reason, why: str) -> FlagResolutionDetails[bool]:
    """Not as an error: for one of those the SDK gives its caller the caller's own default."""
    return FlagResolutionDetails(value=False, reason=reason, variant="off", flag_metadata={"why": why})


def _by_policy(status: _Status) -> dict[str, list[_Enforced]]:
    found: dict[str, list[_Enforced]] = {}
    for each in status.enforced:
        found.setdefault(each.policy, []).append(each)
    return found


def _call(context: EvaluationContext | None) -> SimpleNamespace:
    said = {} if context is None else context.attributes
    return SimpleNamespace(**{name: said.get(name) for name in SCOPE_FIELDS})


def _resolved(enforced: Sequence[_Enforced], policy: str, call: object) -> FlagResolutionDetails[bool]:
    """Raises ValueError for a share that cannot be read."""
    mine = [(each, _share(each)) for each in enforced if each.policy == policy]
    for each, share in mine:
        if in_share(share, each.staging, call):
            about = {"staging": each.staging, "certificate": each.certificate or ""}
            reason = Reason.STATIC if share is None else Reason.SPLIT
            return FlagResolutionDetails(value=True, reason=reason, variant="on", flag_metadata=about)
    return FlagResolutionDetails(value=False, reason=Reason.SPLIT if mine else Reason.DISABLED, variant="off")


def _share(enforced: _Enforced) -> Share | None:
    if enforced.share is None:
        return None
    said = {name: value for name, value in enforced.share.items() if value is not None}
    return msgspec.convert(said, Share)
