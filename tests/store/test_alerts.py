"""Alerts in the store: a history, targets that keep their secrets, deliveries that one door at a time tries."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from policy_store import alert_deliveries, alert_targets, alerts, audit
from policy_store.alert_deliveries import (
    LEASE_MS,
    LONGEST_MS,
    LONGEST_PAUSE_MS,
    Answer,
    Deliveries,
    Delivery,
    Held,
    pause_ms,
    resend,
)
from policy_store.alert_targets import Target, sealer_of, secrets_of, url_of, wants
from policy_store.alerts import KEPT_MS, TRIED_MS, Alert, alert_id, raise_
from policy_store.decisions import Decisions
from policy_store.errors import Exists, NotFound, Refused, Stale
from policy_store.sealing import Sealer, Unopened
from policy_store.signing import Signer
from spendgate.model.alert import AlertKind
from tests.live.samples import budget
from tests.live.samples import policy as policy_of
from tests.store.conftest import Store
from tests.store.decided import AT, decision, message, over
from tests.store.scenes import TENANT, change, tenant
from tests.store.test_policies import at_once
from tests.store.test_reviews import staged

DAY_MS = 86_400_000
URL = "https://example.com/a/path-that-is-a-secret"
TAKEN, SILENT, WRONG = Answer(200), Answer(503, "it answered 503", is_silent=True), Answer(404, "it answered 404")


def target(store: Store, name: str = "ops", **wanted: Any) -> Target:
    with change(store) as made:
        given = {"kind": "webhook", "url": URL, **wanted}
        return alert_targets.create(made, sealer_of(store.signer), name, **given).target


def raised(store: Store, *numbers: int, at_ms: int | None = None, **fields: Any) -> list[str]:
    """Alerts that somebody has raised; their ids."""
    ids = [alert_id("demoted", number) for number in numbers]
    with store.database.begin() as connection:
        for id_ in ids:
            said = {"kind": "enforcement_demoted", "policy": "cap", "staging": "s", "stage": "shadow", "words": "back"}
            alert = Alert(id_, TENANT, **{**said, **fields}, at_ms=store.clock.ms if at_ms is None else at_ms)
            raise_(connection, alert, store.clock.ms)
    return ids


def deliveries(store: Store, holder: str = "one") -> Deliveries:
    return Deliveries(store.changes, holder, lambda: 0.5)


def of_alert(store: Store, id_: str) -> list[Delivery]:
    with store.database.read() as connection:
        return alert_deliveries.of_alerts(connection, [id_])[id_]


def claimed(by: Deliveries, at: Target) -> Held:
    held = by.claim(at.id)
    assert held is not None
    return held


# The history


def test_what_is_raised_twice_is_one_alert_and_is_sent_to_each_target_once(store: Store) -> None:
    tenant(store)
    target(store)
    target(store, "chat", kind="slack")
    (id_,) = raised(store, 1)
    raised(store, 1)
    with store.database.read() as connection:
        assert [each.id for each in alerts.listed(connection, TENANT)] == [id_]
    assert [(each.target_name, each.state) for each in of_alert(store, id_)] == [
        ("chat", "waiting"),
        ("ops", "waiting"),
    ]


def test_pages_of_the_history_are_the_history_whatever_their_size(store: Store) -> None:
    tenant(store)
    for number in range(11):
        raised(store, number, at_ms=store.clock.ms + number // 3)
    with store.database.read() as connection:
        whole = alerts.listed(connection, TENANT)
        assert len(whole) == 11
        assert [each.at_ms for each in whole] == sorted((each.at_ms for each in whole), reverse=True)
        for size in (1, 3, 11):
            found: list[Alert] = []
            while page := alerts.listed(
                connection, TENANT, most=size, after=alerts.After(found[-1].at_ms, found[-1].id) if found else None
            ):
                found += page
            assert found == whole
        assert alerts.listed(connection, TENANT, policy="other") == alerts.listed(connection, "other") == []
        assert alerts.listed(connection, TENANT, kind="cap") == []


def test_a_policy_of_the_store_says_which_windows_are_the_calendars(store: Store) -> None:
    """A late call of the hour before tells of that hour, though the next one has told; of a rolling one it does not."""
    hourly = policy_of("hourly", budget("5", {"calendar": "hour"}))
    id_ = staged(store, hourly)
    hour = timedelta(hours=1)
    calls = [
        decision(n, over("hourly", staging=id_, window_start=AT + n * hour, window_end=AT + (n + 1) * hour))
        for n in (1, 0)
    ]
    other = [decision(n, over("other", window_start=AT + n * hour, window_end=AT + (n + 1) * hour)) for n in (1, 0)]
    taken = [Decisions(store.database, store.clock).take([message(each)]) for each in (*calls, *other, *calls)]
    assert [len(each.alerts) for each in taken] == [1, 1, 1, 0, 0, 0]


def test_what_is_a_day_old_when_it_is_raised_is_kept_and_not_sent(store: Store) -> None:
    tenant(store)
    target(store)
    (old,) = raised(store, 1, at_ms=store.clock.ms - TRIED_MS)
    assert of_alert(store, old) == []
    with store.database.read() as connection:
        assert alerts.require(connection, TENANT, old).words == "back"
        with pytest.raises(NotFound):
            alerts.require(connection, "other", old)


def test_what_no_rule_looks_at_any_more_is_forgotten_and_a_lifetime_is_not(store: Store) -> None:
    tenant(store)
    target(store)
    raised(store, 1)
    month = over(window_start=AT - timedelta(days=27), window_end=AT + timedelta(days=3))
    lifetime = over("life", window_start=None, window_end=None)
    Decisions(store.database, store.clock).take([message(decision(1, month), decision(2, lifetime))])
    store.clock.ms += KEPT_MS
    for days, forgotten in ((0, 0), (1, 1), (3, 1), (4000, 0)):
        store.clock.ms += days * DAY_MS
        with store.database.begin() as connection:
            assert alerts.has_old(connection, store.clock.ms) == bool(forgotten)
            assert alerts.forget_old(connection, store.clock.ms) == forgotten
    with store.database.read() as connection:
        assert [each.policy for each in alerts.listed(connection, TENANT)] == ["life"]


# Targets


@given(
    policies=st.sampled_from(["", "cap", "c*", "other", "x* cap"]), kinds=st.sampled_from(["", "cap", "threshold cap"]),
    least=st.integers(1, 100), enabled=st.booleans(), percent=st.none() | st.integers(1, 100),
)  # fmt: skip
def test_a_target_gets_the_policies_kinds_and_thresholds_that_it_asks_for(
    policies: str, kinds: str, least: int, enabled: bool, percent: int | None
) -> None:
    asked = Target("t", TENANT, "ops", "webhook", "", "", None, None, None, policies, kinds, least, enabled, 1, 0, None,
                   0, "ann")  # fmt: skip
    kind: AlertKind = "cap" if percent is None else "threshold"
    wanted = enabled and policies != "other" and (not kinds or kind in kinds) and (percent is None or percent >= least)
    assert wants(asked, "cap", kind, percent) == wanted


def test_addresses_and_secrets_stand_nowhere_as_they_are_and_open_in_their_own_row_alone(store: Store) -> None:
    tenant(store)
    with change(store) as made:
        shown = alert_targets.create(made, sealer_of(store.signer), "ops", "webhook", URL)
        again = alert_targets.rotate(made, sealer_of(store.signer), "ops", 1, 1000)
    other = target(store, "other")
    sealer, found = sealer_of(store.signer), again.target
    assert url_of(found, sealer) == URL
    assert secrets_of(found, sealer, store.clock.ms + 999) == [again.secret, shown.secret]
    assert secrets_of(found, sealer, store.clock.ms + 1000) == [again.secret]
    assert len({shown.secret, again.secret, None}) == 3
    for secret in ("path-that-is-a-secret", shown.secret, again.secret):
        assert secret is not None
        assert secret not in everything(store)
    moved = found._replace(url_sealed=other.url_sealed)
    closed: list[Callable[[], object]] = [
        lambda: url_of(moved, sealer),
        lambda: url_of(found, sealer_of(Signer(Ed25519PrivateKey.generate()))),
        lambda: url_of(found, Sealer(store.signer, "something else")),
        lambda: url_of(found._replace(url_sealed=found.url_sealed[:-8] + "AAAAAAA="), sealer),
    ]
    for opens in closed:
        with pytest.raises(Unopened):
            opens()


def test_targets_are_sealed_anew_for_another_key_of_the_store_once_and_by_the_key_that_sealed_them_alone(
    store: Store,
) -> None:
    tenant(store)
    with change(store) as made:
        shown = alert_targets.create(made, sealer_of(store.signer), "ops", "webhook", URL)
        again = alert_targets.rotate(made, sealer_of(store.signer), "ops", 1, 1000)
        alert_targets.create(made, sealer_of(store.signer), "chat", "slack", URL)
    old = sealer_of(store.signer)
    new, stranger = (sealer_of(Signer(Ed25519PrivateKey.generate())) for _ in range(2))
    with pytest.raises(Refused, match="the key that it was sealed by"), change(store) as made:
        alert_targets.reseal(made, stranger, new)
    for expected in (2, 0):
        with change(store) as made:
            assert alert_targets.reseal(made, old, new) == expected
    with store.database.read() as connection:
        found = {each.name: each for each in alert_targets.listed(connection, TENANT)}
    assert {url_of(each, new) for each in found.values()} == {URL}
    assert secrets_of(found["ops"], new, store.clock.ms) == [again.secret, shown.secret]
    with pytest.raises(Unopened):
        url_of(found["chat"], old)


def everything(store: Store) -> str:
    """All that stands in the database."""
    with store.database.read() as connection:
        names = ("alert_targets", "alerts", "alert_deliveries", "audit", "outbox")
        return repr([connection.execute(text(f"SELECT * FROM {name}")).all() for name in names])


def test_a_change_names_the_revision_that_was_read_and_leaves_its_trail(store: Store) -> None:
    tenant(store)
    sealer = sealer_of(store.signer)
    target(store, policies=["a", "b*"])
    with pytest.raises(Exists), change(store) as made:
        alert_targets.create(made, sealer, "ops", "slack", URL)
    with change(store) as made:
        edited = alert_targets.edit(made, sealer, "ops", 1, url="http://10.0.0.1:81/x", enabled=False, kinds=["cap"])
    assert (edited.origin, edited.policies, edited.kinds, edited.enabled) == (
        "http://10.0.0.1:81",
        "a b*",
        "cap",
        False,
    )
    moves: list[Callable[[Any], object]] = [
        lambda made: alert_targets.edit(made, sealer, "ops", 1, from_percent=5),
        lambda made: alert_targets.rotate(made, sealer, "ops", 1, 0),
        lambda made: alert_targets.remove(made, "ops", 1),
    ]
    for move in moves:
        with pytest.raises(Stale), change(store) as made:
            move(made)
        with pytest.raises(NotFound), store.changes.of("other", "eve") as made:
            move(made)
    with change(store) as made:
        alert_targets.remove(made, "ops", 2)
    with store.database.read() as connection:
        assert alert_targets.listed(connection, TENANT) == []
        trail = [each.action for each in audit.entries(connection, TENANT)]
    assert trail == ["create", "create", "edit", "remove"]


def test_a_channel_in_slacks_format_has_no_secret_and_a_tenant_has_a_bounded_number_of_targets(store: Store) -> None:
    tenant(store)
    assert target(store, kind="slack").secret_sealed is None
    with pytest.raises(Refused, match="expected a webhook"), change(store) as made:
        alert_targets.rotate(made, sealer_of(store.signer), "ops", 1, 0)
    for number in range(1, alert_targets.MOST):
        target(store, f"t{number}")
    with pytest.raises(Refused, match="at most 50"):
        target(store, "one-too-many")


# Deliveries


def test_of_two_doors_one_has_a_delivery_and_a_dead_one_lets_go_of_it(store: Store) -> None:
    tenant(store)
    to = target(store)
    (id_,) = raised(store, 1)
    held: list[Held | None] = []
    one, two = deliveries(store, "one"), deliveries(store, "two")
    assert at_once(lambda: held.append(one.claim(to.id)), lambda: held.append(two.claim(to.id))) == [None, None]
    (first,) = [each for each in held if each is not None]
    dead, living = (one, two) if first.delivery.holder == "one" else (two, one)
    assert living.ready() == []
    store.clock.ms += LEASE_MS
    second = claimed(living, to)
    assert second.alert == first.alert
    assert dead.settle(first, TAKEN) == "sent"
    assert [each.state for each in of_alert(store, id_)] == ["waiting"], "it is not its own any more"
    assert living.settle(second, TAKEN) == "sent"
    assert [(each.state, each.attempts, each.status) for each in of_alert(store, id_)] == [("sent", 1, 200)]
    assert living.claim(to.id) is None


def test_a_lease_of_a_clock_that_has_stepped_back_holds_nothing(store: Store) -> None:
    tenant(store)
    to = target(store)
    raised(store, 1)
    claimed(deliveries(store), to)
    store.clock.ms -= 3 * LEASE_MS
    assert deliveries(store, "two").ready() == []  # it is not due yet by this clock either
    store.clock.ms -= TRIED_MS
    claimed(deliveries(store, "two"), to)


@given(attempts=st.integers(1, 10**6), chance=st.floats(0, 1))
def test_pauses_double_up_to_the_longest_and_scatter_by_a_quarter(attempts: int, chance: float) -> None:
    whole = min(5_000 * 2 ** min(attempts - 1, 40), 3_600_000)
    assert 0.75 * whole - 1 <= pause_ms(attempts, 3_600_000, chance) <= 1.25 * whole + 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@given(answers=st.lists(st.sampled_from([TAKEN, SILENT, WRONG, Answer(429, "it answered 429", 600_000, True)]),
                        min_size=1, max_size=6))  # fmt: skip
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_delivery_ends_within_a_day_whatever_is_answered_and_is_never_asked_too_soon(
    store: Store, answers: list[Answer]
) -> None:
    """Answers come round and round; the clock goes on in growing steps while nothing is due."""
    name = store.changes.fresh()
    tenant(store, name)
    with store.changes.of(name, "ann") as made:
        to = alert_targets.create(made, sealer_of(store.signer), "ops", "webhook", URL).target
    begun = store.clock.ms
    with store.database.begin() as connection:
        ids = [alert_id(name, number) for number in range(3)]
        for id_ in ids:
            raise_(connection, Alert(id_, name, "gate_lost", "p", "s", "shadow", "w", begun), begun)
    sender, asked, not_before, step_ms = deliveries(store), 0, {to.id: 0}, 3_000
    while sender.waiting().deliveries:
        held = sender.claim(to.id)
        if held is not None:
            assert store.clock.ms >= max(not_before[to.id], not_before.get(held.alert.id, 0))
            answer = answers[asked % len(answers)]
            asked += 1
            sender.settle(held, answer)
            silent, wrong = (held.target.failures, LONGEST_PAUSE_MS), (held.delivery.attempts, LONGEST_MS)
            failed, longest_ms = silent if answer.is_silent else wrong
            pause = max(pause_ms(failed + 1, longest_ms, 0.5), answer.retry_after_ms)
            not_before[to.id if answer.is_silent else held.alert.id] = store.clock.ms + pause
        else:
            step_ms = min(step_ms * 2, 1_800_000)
            store.clock.ms += step_ms
        sender.bury()
        assert store.clock.ms <= begun + TRIED_MS + 1_800_000
    ended = [each for id_ in ids for each in of_alert(store, id_)]
    assert asked <= 3 * 150
    assert all(each.next_ms is None and each.ended_ms is not None and each.holder is None for each in ended)
    if TAKEN in answers:
        assert any(each.state == "sent" for each in ended)
    else:
        assert {each.state for each in ended} == {"dead"}
        assert all(each.problem for each in ended)


def test_of_one_call_the_thresholds_go_first_from_the_least_and_the_cap_goes_last(store: Store) -> None:
    tenant(store)
    to = target(store)
    Decisions(store.database, store.clock).take([message(decision(1, over(alerts=(80, 50))))])
    sender, found = deliveries(store), []
    while (held := sender.claim(to.id)) is not None:
        found.append(held.alert.threshold_percent)
        sender.settle(held, TAKEN)
    assert found == [50, 80, None]


def test_a_target_that_does_not_answer_holds_off_its_own_and_once_it_does_they_go_at_once(store: Store) -> None:
    tenant(store)
    silent, other = target(store, "silent"), target(store, "other")
    ids = raised(store, 1, 2, 3)
    sender = deliveries(store)
    sender.settle(claimed(sender, silent), SILENT)
    assert sender.claim(silent.id) is None, "its others wait too"
    assert sender.ready() == [other.id]
    store.clock.ms += 5_000
    sender.settle(claimed(sender, silent), SILENT)
    store.clock.ms += 10_000
    sender.settle(claimed(sender, silent), TAKEN)
    for _ in range(2):
        sender.settle(claimed(sender, silent), TAKEN)
    assert [each.state for id_ in ids for each in of_alert(store, id_) if each.target == silent.id] == ["sent"] * 3
    sender.settle(claimed(sender, other), WRONG)
    assert claimed(sender, other).delivery.attempts == 0, "what was answered wrongly holds off itself alone"


def test_a_target_that_is_gone_is_switched_off_and_one_that_is_removed_gets_nothing(store: Store) -> None:
    tenant(store)
    gone, removed = target(store, "gone"), target(store, "removed")
    first, _ = raised(store, 1, 2)
    sender = deliveries(store)
    assert sender.settle(claimed(sender, gone), Answer(410, "it answered 410")) == "dead"
    under_way = claimed(sender, removed)
    with change(store) as made:
        assert not alert_targets.require(made.connection, TENANT, "gone").enabled
        alert_targets.remove(made, "removed", 1)
    sender.settle(under_way, TAKEN)
    assert sender.ready() == []
    assert of_alert(store, under_way.alert.id)[1].problem == alert_targets.REMOVED
    assert [each.target_name for each in of_alert(store, raised(store, 3)[0])] == []
    store.clock.ms += TRIED_MS
    assert sender.bury() == 1
    assert sender.waiting() == (0, 0)
    assert len(of_alert(store, first)) == 2


def test_what_was_given_up_is_sent_again_under_its_id_when_somebody_says_so(store: Store) -> None:
    tenant(store)
    to = target(store)
    (id_,) = raised(store, 1)
    sender = deliveries(store)

    def again(who: str = TENANT) -> Delivery:
        with store.changes.of(who, "ann") as made:
            return resend(made, id_, "ops")

    with pytest.raises(Refused, match="waits to be sent"):
        again()
    sender.settle(claimed(sender, to), SILENT)
    store.clock.ms += TRIED_MS
    assert sender.bury() == 1
    assert [(each.state, each.problem) for each in of_alert(store, id_)] == [("dead", "it answered 503")]
    with pytest.raises(NotFound):
        again("other")
    again()
    assert sender.settle(claimed(sender, to), TAKEN) == "sent"
    again()
    assert claimed(sender, to).alert.id == id_
    target(store, "new")
    with change(store) as made:
        assert resend(made, id_, "new").state == "waiting", "also to one that it was never for"
        alert_targets.edit(made, sealer_of(store.signer), "new", 1, enabled=False)
    with pytest.raises(Refused, match="enabled"), change(store) as made:
        resend(made, id_, "new")
