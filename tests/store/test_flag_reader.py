"""The flag as the enforcement agent reads it: what holds, by which name what does not, and at what cost."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select

from agents.flag import BELIEVED_S, FlagReader
from gateway_shadow.checks import flag_watch
from gateway_shadow.checks.flag_watch import FlagWatch
from gateway_shadow.staged_policies import StagedPolicies
from policy_store import flags
from policy_store.tables import versions
from spendgate.model.lease import FLAG_UNREAD
from spendgate.reconcile.public_keys import PublicKeys
from tests.store.conftest import Store
from tests.store.enforced import enforced, turn_off
from tests.store.scenes import TENANT, change

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


class Counted(PublicKeys):
    """Keys that count what they have verified."""

    verified = 0

    def has_signed(self, content: bytes, signature: str) -> bool:
        self.verified += 1
        return super().has_signed(content, signature)


class Monotonic:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def reader(store: Store, clock: Monotonic) -> FlagReader:
    keys = Counted([store.signer.public])
    return FlagReader(store.database, keys, clock, lambda: datetime.fromtimestamp(store.clock.ms / 1000, UTC))


def test_what_is_on_is_verified_once_a_reading_however_often_it_is_asked_for(store: Store, reader: FlagReader) -> None:
    staging = enforced(store)
    reader.read()
    for _ in range(1000):
        assert reader.why_not(TENANT, staging.id) is None
        (found,) = reader.enforced()
        assert reader.settings(found)["grace_hours"] == 72
    assert isinstance(reader.keys, Counted)
    assert reader.keys.verified == 1


def test_what_does_not_hold_is_named_and_not_enforced(store: Store, reader: FlagReader, clock: Monotonic) -> None:
    staging = enforced(store)
    assert reader.why_not(TENANT, staging.id) == FLAG_UNREAD
    reader.read()
    assert reader.why_not(TENANT, "another") == "policy_off"
    clock.at_s += BELIEVED_S + 1
    assert (list(reader.enforced()), reader.why_not(TENANT, staging.id)) == ([], FLAG_UNREAD)
    store.clock.ms += 400 * 86_400_000
    reader.read()
    assert (list(reader.enforced()), reader.why_not(TENANT, staging.id)) == ([], "certificate_expired")


def test_a_flag_without_its_certificate_is_off(store: Store, reader: FlagReader) -> None:
    staging = enforced(store)
    with change(store, "bob") as made:
        flags.put(made, flags.get(made.connection, "policy", staging.id, TENANT)._replace(certificate=None))
    reader.read()
    assert (list(reader.enforced()), reader.why_not(TENANT, staging.id)) == ([], "certificate_missing")


def test_what_was_turned_off_is_off_with_the_next_reading(store: Store, reader: FlagReader) -> None:
    staging = enforced(store)
    reader.read()
    turn_off(store, "policy", staging.id)
    reader.read()
    assert (list(reader.enforced()), reader.why_not(TENANT, staging.id)) == ([], "policy_off")


def test_a_policy_that_this_program_cannot_read_is_off_and_no_other_with_it(
    store: Store, reader: FlagReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = enforced(store)
    watch = FlagWatch(store.database, StagedPolicies(store.database).now)
    with store.database.read() as connection:
        (found,) = flags.read_flags(connection).enforced(TENANT)
    strange = [found._replace(tenant="other", staging="stg-other", hash="f" * 64), found._replace(staging="stg-newer")]
    newer = b'{"of": "a newer program"}'
    with store.database.begin() as connection:
        row = connection.execute(select(versions).where(versions.c.hash == found.hash)).mappings().one()
        made = {**row, "hash": "e" * 64, "number": 2, "document": newer}
        connection.execute(insert(versions).values(**made))
    strange[1] = strange[1]._replace(hash="e" * 64)
    view = flags.FlagView(True, frozenset({TENANT, "other"}), {TENANT: (found, strange[1]), "other": (strange[0],)})
    monkeypatch.setattr(flags, "read_flags", lambda _: view)
    monkeypatch.setattr(flag_watch, "read_flags", lambda _: view)
    reader.read()
    watch.read()
    assert [each.staging for each in reader.enforced()] == [staging.id]
    assert reader.why_not(TENANT, "stg-newer") == "certificate_of_an_unreadable_policy"
    assert list(watch.of(TENANT)) == [staging.id]
    assert list(watch.of("other")) == []
