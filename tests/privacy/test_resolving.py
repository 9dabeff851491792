"""Which mode a call has: by scope, and the tightest of all who have a say in it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.privacy.resolving import Resolver
from spendgate.model.event import Event, PrivacyMode
from spendgate.model.policy import Scope
from spendgate.model.privacy import MODES, is_within, tightest
from spendgate.model.privacy_settings import PrivacySettings, ScopedMode

MODE = st.sampled_from(MODES)
NAME = st.sampled_from(["red", "green", "blue"])
SCOPE = st.builds(
    Scope,
    team=st.none() | st.lists(st.sampled_from(["red", "gr*", "*", "(none)"]), min_size=1, max_size=2),
    workflow=st.none() | st.lists(NAME, min_size=1, max_size=2),
)
SETTINGS = st.builds(
    PrivacySettings, mode=MODE, scopes=st.lists(st.builds(ScopedMode, mode=MODE, scope=SCOPE), max_size=4)
)
ASKED = st.none() | MODE


def event(**fields: str | None) -> Event:
    return Event(id="e", source="s", tenant="t", time=datetime(2026, 5, 1, tzinfo=UTC), **fields)  # type: ignore[arg-type]


EVENTS = st.builds(event, team=st.none() | NAME, workflow=st.none() | NAME, privacy_mode=ASKED)


@given(settings=SETTINGS, most=MODE, asked=ASKED, call=EVENTS)
def test_nobody_widens_what_another_has_said(
    settings: PrivacySettings, most: PrivacyMode, asked: PrivacyMode | None, call: Event
) -> None:
    found = Resolver.of(settings, most).of_event(call, asked)
    for said in (settings.widest, most, asked, call.privacy_mode):
        assert said is None or is_within(found, said)
    if Resolver.of(settings, most).needs_signature(asked):
        assert found == "private_gateway"


@given(settings=SETTINGS, call=EVENTS, asked=ASKED)
def test_a_request_that_asks_for_nothing_gets_the_tenants_mode(
    settings: PrivacySettings, call: Event, asked: PrivacyMode | None
) -> None:
    resolver = Resolver.of(settings, "full_trace")
    plain = event(team=call.team, workflow=call.workflow)
    assert resolver.of_event(call, asked) == tightest(resolver.of_event(plain, None), asked, call.privacy_mode)


@given(settings=SETTINGS, more=st.builds(ScopedMode, mode=MODE, scope=SCOPE), call=EVENTS)
def test_a_scope_more_changes_calls_that_it_looks_at_alone(
    settings: PrivacySettings, more: ScopedMode, call: Event
) -> None:
    before = Resolver.of(settings, "full_trace").of_event(call, None)
    added = settings.model_copy(update={"scopes": [*settings.scopes, more]})
    after = Resolver.of(added, "full_trace").of_event(call, None)
    alone = PrivacySettings(mode="full_trace", scopes=[ScopedMode(mode="private_gateway", scope=more.scope)])
    looks = Resolver.of(alone, "full_trace").of_event(event(team=call.team, workflow=call.workflow), None)
    assert is_within(after, more.mode) if looks == "private_gateway" else after == before


def test_of_several_scopes_the_tightest_holds_and_a_scope_may_widen() -> None:
    settings = PrivacySettings.model_validate(
        {
            "scopes": [
                {"mode": "full_trace", "scope": {"team": ["claims-*"]}},
                {"mode": "fingerprint_only", "scope": {"customer": ["hospital-*"]}},
                {"mode": "private_gateway", "scope": {"workflow": ["triage"], "exclude": {"team": ["claims-eu"]}}},
            ]
        }
    )
    resolver = Resolver.of(settings, "full_trace")
    calls = {
        "metadata_only": event(team="sales"),
        "full_trace": event(team="claims-us"),
        "fingerprint_only": event(team="claims-us", customer="hospital-7"),
        "private_gateway": event(workflow="triage"),
    }
    assert {mode: resolver.of_event(call, None) for mode, call in calls.items()} == {mode: mode for mode in calls}
    assert resolver.of_event(event(team="claims-eu", workflow="triage"), None) == "full_trace"
    assert not resolver.needs_signature(None)
