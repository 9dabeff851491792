"""What becomes of content by mode; the event is never lost for it, and never carries it."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.adapters.events import events_of
from gateway_shadow.adapters.found import Found
from gateway_shadow.adapters.litellm import litellm_events
from gateway_shadow.adapters.otlp import spans_in_json, spans_in_protobuf
from gateway_shadow.privacy.fingerprints import Secret, canonical, fingerprint
from gateway_shadow.privacy.handling import MOST_BYTES, Handled, handle
from gateway_shadow.privacy.resolving import Resolver
from spendgate.model.event import PrivacyMode, encode_events
from spendgate.model.privacy import MODES, permits
from spendgate.model.privacy_settings import PrivacySettings
from spendgate.model.text import is_name
from tests.door.test_adapters import as_otlp_json, call, exported, litellm

TENANT, SAID = "acme", "the-patient-said"
KEY, LATER = Secret("fp-1", b"k" * 32), Secret("fp-2", b"l" * 32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def own(*contents: Any) -> Found:
    """Events of our own, each with a content beside it."""
    return events_of(json.dumps([call(n, content=each) for n, each in enumerate(contents)]).encode(), TENANT)


def handled(found: Found, mode: PrivacyMode, secret: Secret = KEY, *, is_signed: bool = True) -> Handled:
    resolver = Resolver.of(PrivacySettings(mode=mode), "full_trace")
    return handle(found, resolver, secret, None, is_signed=is_signed)


@pytest.mark.parametrize("mode", MODES)
def test_content_that_is_handed_over_is_refused_by_name_where_the_mode_takes_none(mode: PrivacyMode) -> None:
    found = handled(own({"prompt": SAID}, {"response": [SAID]}), mode)
    if permits(mode).fingerprints:
        assert [event.id for event in found.events] == ["e0", "e1"]
        assert [len(each.plain) > 0 for each in found.to_keep] == [True, True] * permits(mode).redacted
    else:
        assert [(each.place, each.field) for each in found.problems] == [(0, "content"), (1, "content")]
        assert (found.events, found.to_keep) == ([], [])
    assert SAID not in encode_events(found.events).decode() + repr(found)


@pytest.mark.parametrize("mode", MODES)
def test_content_that_is_met_never_keeps_an_event_from_the_log(mode: PrivacyMode) -> None:
    for met in (
        litellm_events(json.dumps([litellm(n) for n in range(3)]).encode(), TENANT),
        spans_in_protobuf(exported().SerializeToString(), TENANT),
    ):
        count = len(met.events)
        found = handled(met, mode)
        assert len(found.events) == count
        assert {event.privacy_mode for event in found.events} == {mode}
        assert bool(found.dropped) == (not permits(mode).fingerprints)
        assert all((event.prompt_fingerprint is not None) == permits(mode).fingerprints for event in found.events)
        assert len(found.to_keep) == count * permits(mode).redacted


@pytest.mark.parametrize("mode", MODES)
def test_only_a_private_gateways_calls_need_a_signature(mode: PrivacyMode) -> None:
    found = handled(events_of(json.dumps([call(0), call(1)]).encode(), TENANT), mode, is_signed=False)
    assert len(found.events) == (2 if permits(mode).unsigned else 0)
    assert [(each.place, each.field) for each in found.problems] == [(0, "signature"), (1, "signature")][
        len(found.events) :
    ]


@given(content=JSON)
def test_a_fingerprint_is_the_same_for_the_same_content_and_key_and_names_the_key(content: Any) -> None:
    shuffled = json.loads(json.dumps(content), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    first, again, later = (
        fingerprint(key, canonical(each)) for key, each in ((KEY, content), (KEY, shuffled), (LATER, content))
    )
    assert first == again != later
    assert (first.split(":")[1], later.split(":")[1]) == ("fp-1", "fp-2")
    assert is_name(first)
    other = fingerprint(KEY, canonical([content]))
    assert other != first


@given(contents=st.lists(JSON, min_size=1, max_size=4))
def test_what_is_to_be_kept_is_what_was_sent(contents: list[Any]) -> None:
    found = handled(own(*({"prompt": each, "response": [each]} for each in contents)), "full_trace")
    assert [json.loads(each.plain) for each in found.to_keep] == [
        {"prompt": each, "response": [each]} for each in contents
    ]


def test_one_call_has_one_fingerprint_however_it_came() -> None:
    messages = [{"role": "user", "content": SAID}]
    said = {"gen_ai.input.messages": json.dumps(messages)}
    proto = exported(content=False)
    for group in proto.resource_spans:
        for span in (each for scope in group.scope_spans for each in scope.spans):
            event = span.events.add(name="gen_ai.client.inference.operation.details")
            event.attributes.add(key="gen_ai.input.messages").value.string_value = said["gen_ai.input.messages"]
    ways = [
        own({"prompt": messages}),
        litellm_events(json.dumps([litellm(messages=messages)]).encode(), TENANT),
        spans_in_protobuf(proto.SerializeToString(), TENANT),
        spans_in_json(as_otlp_json(proto), TENANT),
    ]
    assert len({handled(each, "fingerprint_only").events[0].prompt_fingerprint for each in ways}) == 1


def test_two_responses_that_say_the_same_have_one_fingerprint_whatever_their_ids() -> None:
    answers = [
        {"id": f"chatcmpl-{n}", "created": n, "choices": [{"message": {"role": "assistant", "content": SAID}}]}
        for n in range(2)
    ]
    found = litellm_events(json.dumps([litellm(n, response=each) for n, each in enumerate(answers)]).encode(), TENANT)
    assert len({event.response_fingerprint for event in handled(found, "fingerprint_only").events}) == 1


@pytest.mark.parametrize(
    "content", [None, [], {}, "x", {"prompt": 1, "more": 2}, {"text": SAID}, {"prompt": SAID, SAID: 1}]
)
def test_an_envelope_of_another_shape_is_refused_whatever_the_mode(content: Any) -> None:
    for found in (own(content), events_of(json.dumps(call(0, content=content, team="red")).encode(), TENANT)):
        assert [(each.place, each.field) for each in found.problems] == [(0, "content")]
        assert SAID not in repr(found.problems)


def test_content_beside_a_bad_item_does_not_move_to_its_neighbour() -> None:
    items = [call(0, content={"prompt": "a"}), call(1, team="two words", content={"prompt": "b"}), call(2)]
    found = events_of(json.dumps([*items, call(3, content={"prompt": "d"})]).encode(), TENANT)
    kept = handled(found, "full_trace").to_keep
    assert [(each.event.id, each.place, json.loads(each.plain)["prompt"]) for each in kept] == [
        ("e0", 0, "a"), ("e3", 3, "d"),
    ]  # fmt: skip


OWN_MODES = st.lists(st.none() | st.sampled_from(MODES), min_size=1, max_size=5)


@given(modes=OWN_MODES, mode=st.sampled_from(MODES), asked=st.none() | st.sampled_from(MODES), is_signed=st.booleans())
def test_bodies_without_content_are_handled_quickly_and_no_differently(
    modes: list[PrivacyMode | None], mode: PrivacyMode, asked: PrivacyMode | None, is_signed: bool
) -> None:
    body = json.dumps([call(n, privacy_mode=each) for n, each in enumerate(modes)]).encode()
    nobodys = [{"mode": "full_trace", "scope": {"team": ["nobodys"]}}]
    quick, slow = (
        handle(
            events_of(body, TENANT), Resolver.of(PrivacySettings.model_validate({"mode": mode, **more}), "full_trace"),
            KEY, asked, is_signed=is_signed,
        )
        for more in ({}, {"scopes": nobodys})
    )  # fmt: skip
    assert quick == slow


@dataclass
class Deep:
    """JSON nested too deeply to be written again."""

    levels: int

    def value(self) -> Any:
        found: Any = SAID
        for _ in range(self.levels):
            found = [found]
        return found


@pytest.mark.parametrize("value", [Deep(3000).value(), "x" * (MOST_BYTES + 1)])
def test_content_that_cannot_be_kept_is_said_and_its_event_goes_on(value: Any) -> None:
    met = litellm_events(json.dumps([litellm()]).encode(), TENANT)
    met.contents[0] = met.contents[0]._replace(prompt=value)
    found = handled(met, "full_trace")
    (event,) = found.events
    assert event.privacy_mode == "fingerprint_only"
    assert [(each.place, each.field) for each in found.aside] == [(0, "content")]
    assert found.to_keep == []
